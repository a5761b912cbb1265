"""Volumes over the API, done by real processes: every format in, every format out, kills, refusals, and privacy."""

import io
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import psutil
import pydicom
import pytest
import redis
import tifffile
from PIL import Image
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from tests.embedded.test_run import Start, short_folder, starter
from tests.fakes import dicom
from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.fakes.model import make_model
from tests.fakes.volumes import head, nifti

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
]

AT = "/v1/segmentations"
CHILD = "trainer.volumes.child"
CANARY = "KANARIE"
TEXT = ("PN", "LO", "SH", "LT", "ST", "UT")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    models = tmp_path_factory.mktemp("models")
    make_model(models)
    with short_folder() as place, starter(place, models) as start:
        yield _started(start)


def _started(start: Start) -> Run:
    return start(LEASE_S=3, TRAINING_WORKERS=0, MAX_ATTEMPTS=10).wait_until_ready()


@pytest.fixture
def client(run: Run) -> Client:
    return Client(str(run.address), 90)


def send(client: Client, *contents: bytes, name: str = "slice", **fields: Any) -> Any:
    files = [("image", (f"{name}{n}", content)) for n, content in enumerate(contents)]
    return client.ask("POST", AT, files=files, data={"wait": "20", "threshold": "0.05", **fields})


def ended(client: Client, answer: Any) -> Any:
    assert answer.status_code in (201, 202), answer.text
    link = answer.json()["links"]["self"]
    return until(
        lambda: (now := client.get(link))["status"] in ("succeeded", "failed") and now, 200, "the end"
    )


def segmented(client: Client, *contents: bytes, **fields: Any) -> Any:
    job = ended(client, send(client, *contents, **fields))
    assert job["status"] == "succeeded", job["error"]
    return job


def content(client: Client, link: str, **query: Any) -> bytes:
    answer = client.ask("GET", link, params=query)
    assert answer.status_code == 200, answer.text
    return answer.content


def series(slices: int = 5, size: int = 48, **more: Any) -> list[bytes]:
    return [dicom.as_bytes(one) for one in dicom.series(dicom.head((slices, size, size)), **more)]


def zipped(contents: list[bytes], folder: str = "s/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for n, one in enumerate(contents):
            archive.writestr(f"{folder}{n}", one)
    return buffer.getvalue()


def mask_of(client: Client, job: Any) -> np.ndarray:
    """(D, H, W) of the single slices."""
    return np.stack(
        [
            np.array(Image.open(io.BytesIO(content(client, job["links"]["mask"], slice=n)))) > 0
            for n in range(job["image"]["slices"])
        ]
    )


def test_a_series_comes_back_with_everything(client: Client) -> None:
    files = series()
    job = segmented(client, *files)
    image, result = job["image"], job["result"]
    assert (image["format"], image["slices"], image["width"], image["height"]) == ("DICOM", 5, 48, 48)
    assert (image["pixel_spacing_mm"], image["slice_spacing_mm"]) == ([0.9, 0.8], 3)
    masks = mask_of(client, job)
    areas = masks.sum(axis=(1, 2))
    assert areas.sum() > 0
    assert [told["area_pixels"] for told in result["slices"]] == areas.tolist()
    assert result["largest_slice"] == int(areas.argmax())
    assert result["area_pixels"] == areas.sum()
    assert result["volume_mm3"] == pytest.approx(areas.sum() * 0.9 * 0.8 * 3, rel=1e-4)
    written = nib.Nifti1Image.from_bytes(_gunzipped(content(client, job["links"]["nifti"])))
    assert np.asarray(written.dataobj).sum() == areas.sum()
    seg = pydicom.dcmread(io.BytesIO(content(client, job["links"]["segmentation"])))
    assert seg.pixel_array.sum() == areas.sum()
    source = pydicom.dcmread(io.BytesIO(files[0]))
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.PatientID == source.PatientID
    for name in ("image", "overlay", "probability"):
        shown = Image.open(io.BytesIO(content(client, job["links"][name], slice=2)))
        assert shown.size == (48, 48)
    assert Image.open(io.BytesIO(content(client, job["links"]["montage"]))).width > 48
    points = client.get(f"{job['links']['contours']}?coordinates=patient")
    assert {feature["properties"]["slice"] for feature in points["features"]} <= set(range(5))
    assert client.ask("GET", f"{job['links']['mask']}?slice=5").status_code == 422


def _gunzipped(data: bytes) -> bytes:
    import gzip

    return gzip.decompress(data)


def test_the_same_series_as_a_zip_in_any_order_and_compression_gives_the_same(client: Client) -> None:
    made = dicom.series(dicom.head((4, 40, 40)))
    plain = segmented(client, *[dicom.as_bytes(one) for one in made])
    packed = segmented(client, zipped([dicom.as_bytes(one, dicom.LOSSLESS[2]) for one in reversed(made)]))
    one_file = segmented(client, dicom.as_bytes(dicom.enhanced(dicom.head((4, 40, 40)))))
    assert plain["result"]["mask"] == packed["result"]["mask"] == one_file["result"]["mask"]
    assert [warning["code"] for warning in packed["warnings"]] == []


def test_a_nifti_file_and_a_stack_of_tiff_pages(client: Client) -> None:
    voxels = head(3, (40, 44, 6))
    job = segmented(client, nifti(voxels, np.diag([-0.5, -0.5, 2.0, 1.0])))
    assert (job["image"]["format"], job["image"]["slices"]) == ("NIfTI", 6)
    written = nib.Nifti1Image.from_bytes(_gunzipped(content(client, job["links"]["nifti"])))
    assert written.shape == voxels.shape
    np.testing.assert_allclose(written.affine, np.diag([-0.5, -0.5, 2.0, 1.0]))
    assert client.ask("GET", f"{AT}/{job['id']}/segmentation.dcm").status_code == 409

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.moveaxis(voxels, 2, 0).astype(np.uint16), photometric="minisblack")
    stack = segmented(client, buffer.getvalue())
    assert (stack["image"]["format"], stack["image"]["slices"]) == ("TIFF", 6)
    assert stack["result"]["volume_mm3"] is None and stack["result"]["volume_mm3_reason"]
    again = segmented(client, buffer.getvalue(), pixel_spacing_mm="0.5", slice_spacing_mm="2")
    assert again["result"]["volume_mm3"] == pytest.approx(again["result"]["area_pixels"] * 0.5)


def refused(client: Client, *contents: bytes, **fields: Any) -> str:
    """The code by which it was refused, at once or as the end of its job."""
    answer = send(client, *contents, **fields)
    if answer.status_code not in (201, 202):
        assert 400 <= answer.status_code < 500, answer.text
        return str(answer.json()["code"])
    job = ended(client, answer)
    assert job["status"] == "failed"
    return str(job["error"]["code"])


def test_what_does_not_fit_together_is_refused_by_name(client: Client) -> None:
    head_ZYX = dicom.head((6, 40, 40))
    axial, coronal = dicom.series(head_ZYX), dicom.series(head_ZYX, dicom.CORONAL)
    as_files = lambda datasets: [dicom.as_bytes(one) for one in datasets]  # noqa: E731
    for one in coronal:
        one.SeriesInstanceUID = axial[0].SeriesInstanceUID
    assert refused(client, *as_files([*axial[:3], *coronal[:3]])) == "mixed_orientation"
    assert refused(client, *as_files([*axial, axial[2]])) == "duplicate_positions"
    assert refused(client, *as_files([one for n, one in enumerate(axial) if n != 2])) == "missing_slices"
    assert refused(client, *as_files(axial + dicom.series(head_ZYX, seed=9))) == "several_series"
    assert refused(client, *series(Modality="CT")) == "wrong_modality"
    assert refused(client, *as_files(axial[:2])) == "too_few_slices"
    assert refused(client, b"MZ" + bytes(126) + as_files(axial)[0][128:]) in (
        "unsafe_file",
        "unsupported_format",
    )
    assert refused(client, as_files(axial)[0][:700]) == "undecodable_image"
    assert refused(client, nifti(head(1), dim=[3, 32000, 32000, 32000, 1, 1, 1, 1])) == "too_many_pixels"
    assert refused(client, zipped(as_files(axial), "../")) in ("unsafe_upload", "unsafe_archive")


def planted() -> dict[str, str]:
    """The canary in every text of the first 60 attributes of the groups that name people, places and procedures."""
    names = {
        entry[4]: f"{CANARY}{tag:08X}"
        for tag, entry in sorted(DicomDictionary.items())
        if entry[0] in TEXT
        and entry[1] == "1"
        and not entry[3]
        and tag >> 16 in (8, 16, 0x18, 0x20, 0x32, 0x38, 0x40)
    }
    important = {name: names[name] for name in dicom.PATIENT_TAGS if name in names}
    return {**dict(list(names.items())[:60]), **important}


def canary_series(slices: int = 4, **more: Any) -> list[bytes]:
    datasets = dicom.series(dicom.head((slices, 40, 40)), seed=77, **planted(), **more)
    for dataset in datasets:
        block = dataset.private_block(0x0029, CANARY, create=True)
        block.add_new(1, "LO", CANARY)
        nested = Dataset()
        nested.PatientName = CANARY
        dataset.ReferencedPatientSequence = [nested]
    return [dicom.as_bytes(dataset) for dataset in datasets]


def places(run: Run) -> dict[str, bytes]:
    """All that lies about: files of the service, Redis, what a client and a monitor may read."""
    found = {str(path): path.read_bytes() for path in run.data_dir.rglob("*") if path.is_file()}
    found["terminal"] = run.terminal.encode()
    (socket,) = run.data_dir.rglob("redis.sock")
    with redis.Redis(unix_socket_path=str(socket)) as connection:
        for key in connection.scan_iter():
            found[f"redis {key!r}"] = key + (connection.dump(key) or b"")
    client = Client(str(run.address), 30)
    for path in ("/metrics", f"{AT}?limit=100", "/v1/system", "/results", "/health/ready"):
        found[path] = client.ask("GET", path).content
    return found


def test_nothing_of_the_patient_is_anywhere_but_in_the_segmentation_object(run: Run, client: Client) -> None:
    assert len(planted()) >= 50
    answers = [
        send(client, *canary_series(), name=CANARY),
        send(client, zipped(canary_series(), f"{CANARY}/")),
    ]
    jobs = [ended(client, answer) for answer in answers]
    assert [job["status"] for job in jobs] == ["succeeded"] * 2
    # Refused ones, whose errors might quote what they refuse.
    bad = canary_series()
    answers += [
        send(client, *canary_series(Modality="CT"), name=CANARY),
        send(client, *canary_series(PixelSpacing=["-1", "0"]), name=CANARY),
        send(client, bad[0][: len(bad[0]) - 900], name=CANARY),
        send(client, *bad, bad[0], name=CANARY),
        send(client, zipped(bad, f"../{CANARY}/")),
        send(client, zipped([*bad, b"not DICOM"], f"{CANARY}/")),
        send(client, f"{CANARY} text".encode(), name=CANARY),
        send(client, *canary_series(WindowCenter="1e400", BurnedInAnnotation="YES"), name=CANARY),
    ]
    texts = [answer.text for answer in answers]
    for answer in answers[2:]:
        if answer.status_code in (201, 202):
            jobs.append(ended(client, answer))
    texts += [str(job) for job in jobs]
    until(lambda: not [*run.data_dir.rglob("source.zip")], 30, "the end of what was sent")
    until(
        lambda: not [*(run.data_dir / "work" / "segmentations").glob("*")], 30, "the end of the work folders"
    )
    canary = CANARY.encode()
    found = {place for place, data in places(run).items() if canary in data}
    assert {Path(place).name for place in found} == {"segmentation.dcm"}
    assert not any(CANARY in text for text in texts)
    uid = dicom.series(dicom.head((1, 40, 40)), seed=77)[0].SeriesInstanceUID.encode()
    assert {Path(place).name for place, data in places(run).items() if uid in data} == {"segmentation.dcm"}
    for job in jobs:
        assert client.ask("DELETE", job["links"]["self"]).status_code == 204
    assert not [place for place, data in places(run).items() if canary in data]


def test_a_killed_worker_does_the_volume_again(run: Run, client: Client) -> None:
    for victim in ("celery", CHILD):
        answer = send(client, *series(30, 96), wait="0")
        process = until(lambda: _child(run), 60, "the child")
        if victim == "celery":
            process = run.find("trainer.celery_app")
        with suppress(psutil.NoSuchProcess):
            process.kill()
        job = ended(client, answer)
        if victim == "celery":
            assert job["status"] == "succeeded", (job["error"], run.logs())
        else:  # as a file that breaks its decoder would: the job fails, and the next one goes well
            assert job["status"] == "failed" or job["result"]
        until(lambda: not [*run.data_dir.rglob("source.zip")], 60, "the end of what was sent")
    assert segmented(client, *series(3))["result"]
    until(lambda: not [*(run.data_dir / "work" / "segmentations").glob("*")], 60, "the sweep")


def test_a_single_slice_is_not_held_up(client: Client) -> None:
    answer = send(client, *series(60, 96), wait="0")
    link = answer.json()["links"]["self"]
    until(lambda: client.get(link)["progress"] > 0.2, 60, "the network")
    started = time.monotonic()
    buffer = io.BytesIO()
    Image.new("L", (96, 96), 90).save(buffer, "PNG")
    assert send(client, buffer.getvalue()).status_code == 201
    alone = time.monotonic() - started
    volume = client.get(link)
    assert volume["status"] == "running" or alone < 5
    assert ended(client, answer)["status"] == "succeeded"


def _child(run: Run) -> psutil.Process | None:
    for process in run.processes():
        with suppress(psutil.NoSuchProcess):
            if CHILD in process.cmdline():
                return process
    return None
