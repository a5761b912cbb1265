"""A series out of a DICOMweb server (QIDO-RS, WADO-RS) and a file into it (STOW-RS). No torch.

Nothing that is raised or logged here has UIDs, addresses or credentials in it. Standard: DICOM PS3.18.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import requests
from dicomweb_client.web import DICOMwebClient

from shared.contract.dicomweb import DicomwebSettings
from shared.contract.dicomweb_server import UID, DicomwebServer
from shared.contract.errors import (
    PacsRefused,
    PacsUnavailable,
    SeriesNotFound,
    TooManyPixels,
    WrongModality,
)
from shared.files.zip_checks import MAX_FILES_OF_VOLUME
from trainer.volumes.pacs_client import PacsClient
from trainer.volumes.pacs_session import TOO_LARGE, no_such_series

Progress = Callable[[int, int], None]

MODALITY, SOP_INSTANCE, SERIES = "00080060", "00080018", "0020000E"
PAGE = 500
_ANSWER_BYTES = 32 * 1024 * 1024  # room for what is not pixels: lists of instances, answers to storing


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a series may have at most."""

    max_bytes: int
    max_files: int


def fetch(
    server: DicomwebServer,
    study: str,
    series: str,
    folder: Path,
    limits: FetchLimits,
    on_progress: Progress = lambda done, of: None,
) -> list[Path]:
    """The instances of the series as `folder`/00000.dcm, ..., as the server has them (no order is promised).

    `on_progress(done, of)` is called after each file; what it raises breaks off. Raises SeriesNotFound, WrongModality
    (before a file is fetched), TooManyPixels, PacsUnavailable and PacsRefused.
    """
    with closing(PacsClient(server, limits.max_bytes + _ANSWER_BYTES)) as pacs:
        pacs.ask(lambda client: _check_modality(client, server, study, series))
        uids = pacs.ask(lambda client: _instances(client, server, study, series, limits.max_files))
        files: list[Path] = []
        left = limits.max_bytes
        for number, uid in enumerate(uids):
            file = folder / f"{number:05d}.dcm"
            pacs.ask(partial(_retrieve, study, series, uid, file))
            files.append(file)
            left -= file.stat().st_size
            if left < 0:
                raise TooManyPixels(TOO_LARGE)
            on_progress(number + 1, len(uids))
        return files


def store(server: DicomwebServer, dicom_file: Path) -> None:
    """Store the file; doing so again does no harm: what is there already counts as stored.

    Raises PacsUnavailable (nothing is known: do it again) and PacsRefused.
    """
    dataset = pydicom.dcmread(dicom_file)
    with closing(PacsClient(server, _ANSWER_BYTES)) as pacs:
        there = pacs.ask(lambda client: _stored(client, dataset) or _is_there(client, dataset))
    if not there:
        raise PacsRefused(f"The DICOMweb server {server.name} does not take the segmentation.")


def fetch_for(
    source: Mapping[str, Any], folder: Path, max_bytes: int, on_share: Callable[[float], None]
) -> list[Path]:
    """`fetch` for a job, whose `source` has server, study and series; `on_share` is told how far it is, 0 to 1."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = _configured(source["server"])
    limits = FetchLimits(max_bytes, MAX_FILES_OF_VOLUME)
    return fetch(
        server, source["study"], source["series"], folder, limits, lambda done, of: on_share(done / of)
    )


def store_for(source: Mapping[str, Any], dicom_file: Path) -> dict[str, str]:
    """`store` for a job, where its series came from; what its `result` says of it."""
    server = _configured(source["server"])
    store(server, dicom_file)
    header = pydicom.dcmread(dicom_file, stop_before_pixels=True)
    return {
        "server": server.name,
        "series": str(header.SeriesInstanceUID),
        "instance": str(header.SOPInstanceUID),
    }


def _configured(name: str) -> DicomwebServer:
    """The server as it is set now, in this process's environment."""
    server = DicomwebSettings.from_env().servers.get(name)
    if server is None:
        raise PacsUnavailable(f"The DICOMweb server {name} is not configured where the worker runs.")
    return server


def _retrieve(study: str, series: str, uid: str, file: Path, client: DICOMwebClient) -> None:
    dataset = client.retrieve_instance(study, series, uid)
    if dataset.get("SOPInstanceUID") != uid:
        raise ValueError  # not what was asked for: PacsUnavailable
    pydicom.dcmwrite(file, dataset)


def _stored(client: DICOMwebClient, dataset: pydicom.Dataset) -> bool:
    """Whether the server says that it has taken the instance."""
    try:
        answer = client.store_instances([dataset])
    except requests.HTTPError:  # a conflict; every other bad status is an error of the session's
        return False
    return not answer.get("FailedSOPSequence")


def _check_modality(client: DICOMwebClient, server: DicomwebServer, study: str, series: str) -> None:
    """The series is there and, as far as the server says, of magnetic resonance."""
    found = client.search_for_series(
        study, fields=["Modality"], search_filters={"SeriesInstanceUID": series}, limit=PAGE
    )
    ours = [entry for entry in found if series in _values(entry, SERIES)]
    if not ours:
        raise no_such_series(server)
    if {*_values(ours[0], MODALITY)} - {"MR"}:
        raise WrongModality("The series is not of magnetic resonance (MR), so it was not fetched.")


def _instances(
    client: DICOMwebClient, server: DicomwebServer, study: str, series: str, max_files: int
) -> list[str]:
    """SOP Instance UIDs; asked for page by page, as a server may give fewer than were asked for."""
    known: dict[str, None] = {}
    while len(known) <= max_files:
        page = client.search_for_instances(study, series, limit=PAGE, offset=len(known))
        before = len(known)
        known.update(dict.fromkeys(_uids(page)))
        if len(known) > before:
            continue
        if not known:
            raise no_such_series(server)
        return [*known]  # the end, or a server that knows no pages
    raise TooManyPixels(f"The series has more than {max_files} files.")


def _uids(page: Iterable[Any]) -> Iterator[str]:
    for entry in page:
        uid = next(iter(_values(entry, SOP_INSTANCE)), None)
        if not isinstance(uid, str) or not UID.fullmatch(uid):
            raise ValueError  # it would be written into an address
        yield uid


def _values(entry: dict[str, Any], tag: str) -> list[Any]:
    """Values of an attribute in DICOM JSON; none where it is not there."""
    return [*entry.get(tag, {}).get("Value", [])]


def _is_there(client: DICOMwebClient, dataset: pydicom.Dataset) -> bool:
    """Whether the server has the instance, whatever it said when it was stored."""
    uid = str(dataset.SOPInstanceUID)
    filters = {"SOPInstanceUID": uid}
    try:
        found = client.search_for_instances(
            str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), search_filters=filters
        )
    except SeriesNotFound:
        return False
    return any(uid in _values(entry, SOP_INSTANCE) for entry in found)
