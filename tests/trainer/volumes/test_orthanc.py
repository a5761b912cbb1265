"""Fetching from and storing to a real PACS."""

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from shared.contract.dicomweb import DicomwebSettings
from shared.contract.dicomweb_server import DicomwebServer
from shared.contract.errors import PacsRefused, PacsUnavailable, SeriesNotFound, WrongModality
from tests.fakes.orthanc import Orthanc, orthanc
from tests.fakes.pacs import SERIES, STUDY, slice_file
from trainer.volumes.dicomweb import FetchLimits, fetch, fetch_for, store, store_for

pytestmark = pytest.mark.slow
LIMITS = FetchLimits(max_bytes=10_000_000, max_files=2000)
CT = f"{STUDY}.2"
COUNT = 620  # more than a page of the list


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        for number in range(COUNT):
            server.upload(slice_file(number))
        server.upload(slice_file(series=CT, modality="CT"))
        yield server


@pytest.fixture
def server(running: Orthanc) -> DicomwebServer:
    return DicomwebSettings.from_env(running.settings()).servers["orthanc"]


def test_a_series_is_fetched_whole(server: DicomwebServer, tmp_path: Path) -> None:
    files = fetch(server, STUDY, SERIES, tmp_path, LIMITS)
    fetched = [pydicom.dcmread(file) for file in files]
    expected = {f"{SERIES}.{number + 1}": slice_file(number) for number in range(COUNT)}
    assert {dataset.SOPInstanceUID for dataset in fetched} == set(expected)
    for dataset in fetched[::50]:
        assert dataset == pydicom.dcmread(io.BytesIO(expected[dataset.SOPInstanceUID]))


@pytest.mark.parametrize(("study", "series"), [(STUDY, f"{SERIES}.77"), (f"{STUDY}.77", SERIES)])
def test_what_is_not_there(server: DicomwebServer, tmp_path: Path, study: str, series: str) -> None:
    with pytest.raises(SeriesNotFound):
        fetch(server, study, series, tmp_path, LIMITS)


def test_a_ct_series_is_not_fetched(server: DicomwebServer, tmp_path: Path) -> None:
    with pytest.raises(WrongModality):
        fetch(server, STUDY, CT, tmp_path, LIMITS)
    assert [*tmp_path.iterdir()] == []


def test_a_wrong_password_is_refused(running: Orthanc, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    settings = running.settings(password_file=str(tmp_path / "wrong"), retries=0)
    server = DicomwebSettings.from_env(settings).servers["orthanc"]
    with pytest.raises(PacsRefused, match="credentials"):
        fetch(server, STUDY, SERIES, tmp_path, LIMITS)
    (tmp_path / "file.dcm").write_bytes(slice_file(1))
    with pytest.raises(PacsRefused, match="credentials"):
        store(server, tmp_path / "file.dcm")


def test_a_file_is_stored_once_however_often_it_is_stored(
    running: Orthanc, server: DicomwebServer, tmp_path: Path
) -> None:
    file = tmp_path / "file.dcm"
    file.write_bytes(slice_file(4, series=f"{SERIES}.5"))
    for _ in range(3):
        store(server, file)
    found = running.instances(SeriesInstanceUID=f"{SERIES}.5")
    assert len(found) == 1
    assert running.file(found[0]["ID"]) == file.read_bytes()


def test_by_the_settings_of_the_environment(
    running: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in running.settings().items():
        monkeypatch.setenv(name, value)
    told: list[float] = []
    source = {"server": "orthanc", "study": STUDY, "series": SERIES, "store": True}
    files = fetch_for(source, tmp_path / "files", 10_000_000, told.append)
    assert len(files) == COUNT and told[-1] == 1 and told == sorted(told)
    stored = store_for(source, files[0])
    assert stored["server"] == "orthanc" and stored["series"] == SERIES
    with pytest.raises(PacsUnavailable, match="not configured"):
        fetch_for({**source, "server": "gone"}, tmp_path / "files", 10_000_000, told.append)
