"""Values of DICOM headers, read so that nothing in them can raise or be logged."""

import errno
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom.dataset import Dataset

from shared.contract.errors import ImageError, UndecodableImage

_SILENT = logging.CRITICAL + 1


@contextmanager
def quiet() -> Iterator[None]:
    """Within it pydicom neither warns nor logs: its texts quote the values that it stumbles over."""
    logger = logging.getLogger("pydicom")  # the loggers of its modules have no level of their own
    level = logger.level
    logger.setLevel(_SILENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def refusing(detail: str) -> Iterator[None]:
    """Whatever a library raises inside becomes UndecodableImage(detail); errors that have a name already pass.

    So does a lack of memory or of room on the disk, which is not the file's fault.
    """
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EMFILE):
            raise
        raise UndecodableImage(detail) from None
    except Exception:  # hostile bytes raise anything: struct.error, RecursionError, C++ exceptions
        raise UndecodableImage(detail) from None


def file_name(index: int, count: int) -> str:
    """How errors speak of file `index` (from 0) of an upload: never by its name, which may be a patient's."""
    return "The file" if count == 1 else f"File {index + 1} of {count}"


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers; None where the attribute is missing, empty or senseless."""
    values = _values(dataset, keyword)
    try:
        floats = tuple(float(value) for value in values)
    except Exception:
        return None
    return floats if len(floats) == count and all(map(math.isfinite, floats)) else None


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first of the attribute's values, if it is a finite number."""
    values = _values(dataset, keyword)[:1]
    try:
        value = float(values[0])
    except Exception:
        return None
    return value if math.isfinite(value) else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The attribute's only value, if it is a whole number."""
    value = numbers(dataset, keyword, 1)
    return int(value[0]) if value and value[0] == int(value[0]) else None


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The attribute's values in capitals and without blanks around them; () where there are none."""
    try:
        return tuple(str(value).strip(" \0").upper() for value in _values(dataset, keyword))
    except Exception:
        return ()


def text(dataset: Dataset, keyword: str) -> str:
    """The first of `texts`, or ""."""
    return (*texts(dataset, keyword), "")[0]


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; [] where it is missing or broken."""
    return [item for item in _values(dataset, keyword) if isinstance(item, Dataset)]


def first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence."""
    found = items(dataset, keyword)
    return found[0] if found else None


def _values(dataset: Dataset, keyword: str) -> Sequence:
    try:
        value = dataset.get(keyword)
        if value is None or isinstance(value, str):
            return [] if not value else [value]
        return list(value) if hasattr(value, "__iter__") and not isinstance(value, bytes) else [value]
    except Exception:  # a value that pydicom cannot convert is as good as none
        return []
