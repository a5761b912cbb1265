"""Several datasets in one run: listed in a YAML file, each with its format, its share of an epoch and its split.

    lgg:
      folder: lgg                      # beside the file, or absolute
      format: lgg
    t1ce:
      folder: t1ce
      format: image_mask
      by: slice                        # its patients are not known: slices are counted by themselves
      test: ["*/fold4/*"]              # what the authors' folds say, by the images' paths
      validation: ["*/fold3/2[0-9]??.png"]
      groups: {kind: "^([^/]+)/"}      # numbers by group as well
      sequence: t1ce                   # what its grey slices show
"""

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.registry import strict

SUFFIXES = (".yaml", ".yml")
MOST_SHARE = 100.0
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True)
class ListedDataset:
    """One of the datasets. Paths are told by shell patterns (`*` matches `/` too).

    `share`: how often each slice with tumour is seen in an epoch. With `validation` or `test`, those parts are what
    these patterns say and all else is learned from; without, patients are dealt out by the recipe's fractions.
    """

    folder: str
    format: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)  # of the format's reader
    share: float = 1.0
    by: str = "patient"  # what numbers are counted by: `slice` where patients are not known
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    groups: dict[str, Any] = field(default_factory=dict)  # name -> regular expression, its group names the slice's
    sequence: str | None = None  # of a dataset in grey

    def part_of(self, image: PurePosixPath) -> str | None:
        """`validation`, `test` or `train`; None where no parts are told: the recipe deals patients out."""
        for part in ("validation", "test"):
            if any(fnmatchcase(str(image), pattern) for pattern in getattr(self, part)):
                return part
        return "train" if self.validation or self.test else None

    def group_of(self, name: str, image: PurePosixPath) -> str | None:
        """Which group of the grouping `name` the image is in."""
        match = re.search(str(self.groups[name]), str(image))
        return match.group(match.re.groups and 1) if match else None


def read_sources(path: Path) -> dict[str, ListedDataset]:
    """The sources of a YAML file, by name; raises InvalidFields, all that is wrong at once."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidFields(errors={"data": [f"{path.name} cannot be read as YAML: {error}"]}) from None
    if not isinstance(values, dict) or not values:
        raise InvalidFields(errors={"data": [f"{path.name} does not list datasets by name"]})
    problems: strict.Problems = {}
    found = {str(name): strict.read(ListedDataset, value, problems, f"data.{name}") for name, value in values.items()}
    for name, source in found.items():
        for place, message in [] if source is None else _problems(name, source):
            problems.setdefault(f"data.{name}.{place}", []).append(message)
    if problems:
        raise InvalidFields(errors=problems)
    return {name: source for name, source in found.items() if source is not None}


def _problems(name: str, source: ListedDataset) -> list[tuple[str, str]]:
    found = []
    if not _NAME.fullmatch(name):
        found.append(("name", "must be small letters, digits, - and _"))
    if source.format not in catalog.DATASETS:
        found.append(("format", f"must be one of {', '.join(sorted(catalog.DATASETS))}"))
    if not 0 < source.share <= MOST_SHARE:
        found.append(("share", f"must be above 0 and at most {MOST_SHARE:g}"))
    if source.by not in ("patient", "slice"):
        found.append(("by", "must be patient or slice"))
    if source.by == "slice" and not (source.validation or source.test):
        found.append(("by", "slice needs validation or test: slices of a patient must not be dealt out"))
    return found + [(f"groups.{group}", problem) for group in source.groups if (problem := _bad(source, group))]


def _bad(source: ListedDataset, group: str) -> str | None:
    try:
        re.compile(str(source.groups[group]))
    except re.error as error:
        return f"is no regular expression: {error}"
    return None
