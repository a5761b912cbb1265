"""From a series in a PACS to the segmentation beside it: the whole service and a real Orthanc."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pydicom
import pytest
from pydicom.filebase import DicomBytesIO

from tests.embedded.test_run import short_folder, starter
from tests.fakes import dicom
from tests.fakes.client import Client
from tests.fakes.launch import ROOT, Run, until
from tests.fakes.model import make_model
from tests.fakes.orthanc import Orthanc, free_port, orthanc, settings_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
]

SCRIPT = ROOT / "docs" / "orthanc" / "on_stable_series.lua"
STABLE_S = 3
JOBS = "/v1/dicomweb/jobs"
KEY = "k" * 40


@dataclass
class Hospital:
    """The service, a PACS that is asked by hand (`pacs`), and one that asks by itself (`automatic`)."""

    run: Run
    pacs: Orthanc
    automatic: Orthanc

    @property
    def client(self) -> Client:
        client = Client(str(self.run.address), 90)
        client.session.headers["Authorization"] = f"Bearer {KEY}"
        return client

    def post(self, wanted: "Series", **more: Any) -> Any:
        order = {"server": "pacs", "study": wanted.study, "series": wanted.series, "threshold": 0.05, **more}
        return self.client.ask("POST", JOBS, json=order)

    def ended(self, job: Any) -> Any:
        """The job once it ended."""
        link = job["links"]["self"]
        return until(
            lambda: (now := self.client.get(link))["status"] in ("succeeded", "failed", "cancelled") and now,
            240,
            f"the end of the job ({self.client.get(link)['progress']}, {self.run.logs()[-2000:]})",
        )


@dataclass(frozen=True)
class Series:
    """UIDs of a series that lies in a PACS."""

    study: str
    series: str


def upload(pacs: Orthanc, seed: int, slices: int = 5, size: int = 64, **attributes: Any) -> Series:
    """A synthetic MR series, other UIDs for each seed."""
    made = dicom.series(dicom.head((slices, size, size)), seed=seed, **attributes)
    for dataset in made:
        pacs.upload(dicom.as_bytes(dataset))
    return Series(made[0].StudyInstanceUID, made[0].SeriesInstanceUID)


def segmentations(pacs: Orthanc, series: Series) -> list[dict[str, Any]]:
    """Instances of SEG in the study."""
    return pacs.instances(StudyInstanceUID=series.study, Modality="SEG")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    models = tmp_path_factory.mktemp("models")
    make_model(models)
    port, key = free_port(), tmp_path_factory.mktemp("key") / "key"
    key.write_text(f"{KEY}\n")
    ours = {"Url": f"http://127.0.0.1:{port}", "Server": "automatic", "KeyFile": str(key)}
    asking = {"StableAge": STABLE_S, "LuaScripts": [str(SCRIPT)], "TumourSegmentation": ours}
    folders = [tmp_path_factory.mktemp(name) for name in ("pacs", "automatic")]
    with (
        orthanc(folders[0]) as pacs,
        orthanc(folders[1], **asking) as automatic,
        short_folder() as place,
        starter(place, models) as start,
    ):
        away = {"url": f"http://127.0.0.1:{free_port()}/dicom-web", "retries": 1}
        settings = settings_of(place, pacs=pacs.table(), automatic=automatic.table(), away=away)
        settings |= {"BOOTSTRAP_KEY_FILE": str(key), "LEASE_S": "3", "MAX_ATTEMPTS": "10"}
        run = start(PORT=port, TRAINING_WORKERS=0, **settings)
        yield Hospital(run.wait_until_ready(), pacs, automatic)


def test_a_series_becomes_a_segmentation_in_the_pacs_once(hospital: Hospital) -> None:
    series = upload(hospital.pacs, seed=11, PatientName="Mustermann^Erika", PatientID="geheim-4711")
    answer = hospital.post(series)
    assert answer.status_code == 202
    job = hospital.ended(answer.json())
    assert job["status"] == "succeeded", (job["error"], hospital.run.logs())
    stored = job["result"]["stored"]

    (found,) = segmentations(hospital.pacs, series)
    assert stored == {
        "server": "pacs",
        "series": stored["series"],
        "instance": found["MainDicomTags"]["SOPInstanceUID"],
    }
    seg = pydicom.dcmread(DicomBytesIO(hospital.pacs.file(found["ID"])))
    assert (seg.SeriesInstanceUID, seg.PatientName) == (stored["series"], "Mustermann^Erika")
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == series.series

    again = hospital.post(series)
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    assert len(segmentations(hospital.pacs, series)) == 1


def test_nothing_of_the_patient_is_left_in_logs_and_work_folders(hospital: Hospital) -> None:
    series = upload(hospital.pacs, seed=12, PatientName="Mustermann^Erika", PatientID="geheim-4711")
    assert hospital.ended(hospital.post(series).json())["status"] == "succeeded"
    files = [file for file in hospital.run.data_dir.rglob("*") if file.is_file() and "logs" in file.parts]
    said = hospital.run.terminal + "".join(file.read_text(errors="replace") for file in files)
    assert files
    for secret in ("Mustermann", "geheim", series.study, series.series, hospital.pacs.address):
        assert secret not in said
    work = hospital.run.data_dir / "work" / "segmentations"
    until(lambda: not [*work.rglob("*.dcm")], 30, "the end of the work folder")


def test_a_series_may_be_fetched_and_nothing_stored(hospital: Hospital) -> None:
    series = upload(hospital.pacs, seed=13)
    job = hospital.ended(hospital.post(series, store=False).json())
    assert job["status"] == "succeeded" and "stored" not in job["result"]
    assert segmentations(hospital.pacs, series) == []
    answer = hospital.client.ask("GET", job["links"]["segmentation"])
    assert pydicom.dcmread(DicomBytesIO(answer.content)).Modality == "SEG"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"series": "1.2.3.4"}, "series_not_found"),
        ({"study": "1.2.3.4"}, "series_not_found"),
        ({"server": "away"}, "pacs_unavailable"),
    ],
)
def test_what_fails_says_why_and_may_be_asked_for_again(
    hospital: Hospital, order: dict[str, str], code: str
) -> None:
    series = upload(hospital.pacs, seed=14)
    job = hospital.ended(hospital.post(series, **order).json())
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert "1.2.3" not in job["error"]["message"] and "127.0.0.1" not in job["error"]["message"]
    again = hospital.post(series, **order)
    assert again.status_code == 202 and again.json()["id"] != job["id"]


def test_a_ct_is_refused(hospital: Hospital) -> None:
    series = upload(hospital.pacs, seed=15, Modality="CT")
    job = hospital.ended(hospital.post(series).json())
    assert job["error"]["code"] == "wrong_modality"


def test_killed_again_and_again_it_is_stored_once(hospital: Hospital) -> None:
    series = upload(hospital.pacs, seed=16, slices=24, size=128)
    job = hospital.post(series).json()
    kill(hospital, "trainer.volumes.child", "the work to begin")
    kill(hospital, "inference@", "the worker to be there")
    until(lambda: hospital.client.get(job["links"]["self"])["progress"] > 0.3, 120, "the network")
    kill(hospital, "inference@", "the worker to be there")
    until(lambda: segmentations(hospital.pacs, series), 180, "the segmentation in the PACS")
    kill(hospital, "inference@", "the worker to be there")  # stored, and perhaps not written down yet
    job = hospital.ended(job)
    assert job["status"] == "succeeded", (job["error"], hospital.run.logs())
    (found,) = segmentations(hospital.pacs, series)
    assert found["MainDicomTags"]["SOPInstanceUID"] == job["result"]["stored"]["instance"]


def kill(hospital: Hospital, word: str, what: str) -> None:
    """kill -9 of the process with this word in its command line, as soon as it is there."""

    def killed() -> bool:
        process = hospital.run.find(word)
        try:
            if process is None:
                return False
            process.kill()
        except psutil.NoSuchProcess:
            return False
        return True

    until(killed, 60, what)


def test_what_orthanc_receives_is_segmented_by_itself_and_once(hospital: Hospital) -> None:
    before = len(hospital.client.get("/v1/segmentations?limit=100")["items"])
    series = upload(hospital.automatic, seed=21)
    upload(hospital.automatic, seed=22, Modality="CT")
    (found,) = until(lambda: segmentations(hospital.automatic, series), 240, "the segmentation")
    seg = pydicom.dcmread(DicomBytesIO(hospital.automatic.file(found["ID"])))
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == series.series
    time.sleep(2 * STABLE_S + 2)  # the SEG's own series is stable by then, and must not be asked for
    assert len(segmentations(hospital.automatic, series)) == 1
    assert len(hospital.client.get("/v1/segmentations?limit=100")["items"]) == before + 1


def test_the_recipe_of_the_docs_names_what_the_script_reads() -> None:
    page = (ROOT / "docs" / "dicomweb.md").read_text()
    for name in ("TumourSegmentation", "Url", "KeyFile", "Server", "StableAge", Path(SCRIPT).name):
        assert name in page
