"""Fetching a series and storing a file, with a server that does not always do its part."""

import io
import logging
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest

from shared.contract.errors import (
    PacsRefused,
    PacsUnavailable,
    SeriesNotFound,
    ServiceError,
    TooManyPixels,
    WrongModality,
)
from tests.fakes.pacs import (
    SERIES,
    STUDY,
    FakePacs,
    drop,
    fake_pacs,
    hang,
    secrets_in,
    slice_file,
    status,
    trickle,
)
from trainer.volumes import pacs_session
from trainer.volumes.dicomweb import FetchLimits, fetch, store

LIMITS = FetchLimits(max_bytes=1_000_000, max_files=10)


@pytest.fixture
def pacs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePacs]:
    monkeypatch.setattr(pacs_session, "BACKOFF_S", 0.01)
    with fake_pacs() as server:
        yield server


def get(pacs: FakePacs, folder: Path, limits: FetchLimits = LIMITS, **settings: Any) -> list[Path]:
    return fetch(pacs.server(**settings), STUDY, SERIES, folder, limits)


def methods(pacs: FakePacs) -> list[str]:
    return [method for method, _, _ in pacs.asked]


def test_each_instance_becomes_a_file_with_what_the_server_sent(pacs: FakePacs, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    files = fetch(pacs.server(), STUDY, SERIES, tmp_path, LIMITS, lambda done, of: told.append((done, of)))
    assert [file.name for file in files] == ["00000.dcm", "00001.dcm", "00002.dcm"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    for file, sent in zip(files, pacs.files.values(), strict=True):
        assert pydicom.dcmread(file) == pydicom.dcmread(io.BytesIO(sent))


def test_a_list_that_comes_in_pages_is_read_to_its_end(pacs: FakePacs, tmp_path: Path) -> None:
    pacs.page = 2
    assert len(get(pacs, tmp_path)) == 3


def test_a_server_that_knows_no_pages_is_not_asked_for_ever(pacs: FakePacs, tmp_path: Path) -> None:
    pacs.instances = lambda offset, limit: [{"00080018": {"Value": [uid]}} for uid in pacs.files]  # type: ignore[method-assign]
    assert len(get(pacs, tmp_path)) == 3


@pytest.mark.parametrize("fault", [status(503), status(500), status(429), status(408), drop, hang])
def test_what_goes_by_is_tried_again(pacs: FakePacs, tmp_path: Path, fault: Any) -> None:
    pacs.faults = [fault, fault]
    assert len(get(pacs, tmp_path)) == 3


@pytest.mark.parametrize("fault", [status(503), drop, hang])
def test_what_stays_is_told_after_the_retries(pacs: FakePacs, tmp_path: Path, fault: Any) -> None:
    pacs.faults = [fault] * 10
    with pytest.raises(PacsUnavailable, match="pacs"):
        get(pacs, tmp_path)
    assert len(pacs.asked) == 3


def test_a_server_that_is_not_there_is_unavailable(pacs: FakePacs, tmp_path: Path) -> None:
    server = pacs.server(url="http://127.0.0.1:9/dicom-web", allowed_hosts=("127.0.0.1:9",))
    with pytest.raises(PacsUnavailable):
        fetch(server, STUDY, SERIES, tmp_path, LIMITS)


def test_a_byte_now_and_then_is_no_answer(
    pacs: FakePacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacs_session, "PATIENCE", 1)
    pacs.faults = [trickle]
    started = time.monotonic()
    with pytest.raises(PacsUnavailable, match="too long"):
        get(pacs, tmp_path)
    assert time.monotonic() - started < 10


def test_a_redirect_is_not_followed(pacs: FakePacs, tmp_path: Path) -> None:
    with fake_pacs() as elsewhere:
        pacs.faults = [status(302, Location=f"{elsewhere.address}/dicom-web/studies")]
        with pytest.raises(PacsUnavailable, match="elsewhere"):
            get(pacs, tmp_path)
        assert (len(pacs.asked), elsewhere.asked) == (1, [])


def test_a_host_that_is_not_allowed_is_not_asked(pacs: FakePacs, tmp_path: Path) -> None:
    with pytest.raises(PacsRefused, match="not allowed"):
        get(pacs, tmp_path, allowed_hosts=("pacs.example:443",))
    assert pacs.asked == []


@pytest.mark.parametrize("code", [401, 403, 400, 406])
def test_a_refusal_is_told_at_once(pacs: FakePacs, tmp_path: Path, code: int) -> None:
    pacs.faults = [status(code)] * 5
    with pytest.raises(PacsRefused):
        get(pacs, tmp_path)
    assert len(pacs.asked) == 1


def test_a_series_that_is_not_there(pacs: FakePacs, tmp_path: Path) -> None:
    for fault in (status(404), status(200, [])):
        pacs.faults = [fault]
        with pytest.raises(SeriesNotFound):
            get(pacs, tmp_path)
    pacs.files = {}
    with pytest.raises(SeriesNotFound):
        get(pacs, tmp_path)


def test_another_modality_is_refused_before_anything_is_fetched(pacs: FakePacs, tmp_path: Path) -> None:
    pacs.modality = "CT"
    with pytest.raises(WrongModality):
        get(pacs, tmp_path)
    assert len(pacs.asked) == 1 and not [*tmp_path.iterdir()]


def test_a_server_that_does_not_say_the_modality_is_believed_for_now(pacs: FakePacs, tmp_path: Path) -> None:
    pacs.modality = None
    assert len(get(pacs, tmp_path)) == 3


@pytest.mark.parametrize("limits", [replace(LIMITS, max_files=2), replace(LIMITS, max_bytes=2000)])
def test_more_than_the_limits_is_refused(pacs: FakePacs, tmp_path: Path, limits: FetchLimits) -> None:
    with pytest.raises(TooManyPixels):
        get(pacs, tmp_path, limits)


def test_a_huge_answer_is_not_read_to_its_end(
    pacs: FakePacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.volumes.dicomweb._ANSWER_BYTES", 10_000)
    pacs.files[f"{SERIES}.2"] = slice_file() + bytes(20_000_000)
    with pytest.raises(TooManyPixels):
        get(pacs, tmp_path, replace(LIMITS, max_bytes=100_000))
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize(
    "body",
    [{"x": 1}, ["x"], [{"00080018": {"Value": ["../../secret"]}}], [{"00080018": {}}], 7, "<html>"],
)
def test_a_list_that_is_none_is_unavailable(pacs: FakePacs, tmp_path: Path, body: Any) -> None:
    pacs.instances = lambda offset, limit: body  # type: ignore[method-assign]
    with pytest.raises(PacsUnavailable, match="not DICOMweb"):
        get(pacs, tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html></html>", slice_file()[:200], bytes(300)])
def test_a_file_that_is_none_is_unavailable(pacs: FakePacs, tmp_path: Path, content: bytes) -> None:
    pacs.files[f"{SERIES}.2"] = content
    with pytest.raises(PacsUnavailable, match="not DICOMweb"):
        get(pacs, tmp_path)


def test_packed_answers_are_refused(pacs: FakePacs, tmp_path: Path) -> None:
    pacs.faults = [status(200, [], Content_Encoding="gzip")]
    with pytest.raises(PacsUnavailable, match="packs"):
        get(pacs, tmp_path)
    assert pacs.asked[0][2]["Accept-Encoding"] == "identity"


def test_what_on_progress_raises_breaks_off(pacs: FakePacs, tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fetch(pacs.server(), STUDY, SERIES, tmp_path, LIMITS, stop)
    assert len([*tmp_path.iterdir()]) == 1


def test_credentials_come_from_files(pacs: FakePacs, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("grüße:1\n")
    secret = str(tmp_path / "secret")
    get(pacs, tmp_path, username="me", password_file=secret)
    assert pacs.asked[-1][2]["Authorization"] == "Basic bWU6Z3LDvMOfZTox"
    (tmp_path / "secret").write_text("abc.def")
    get(pacs, tmp_path, token_file=secret)
    assert pacs.asked[-1][2]["Authorization"] == "Bearer abc.def"
    (tmp_path / "secret").unlink()
    with pytest.raises(PacsRefused, match="cannot be read"):
        get(pacs, tmp_path, token_file=secret)


def test_the_host_header_has_the_port(pacs: FakePacs, tmp_path: Path) -> None:
    get(pacs, tmp_path)
    assert {headers["Host"] for _, _, headers in pacs.asked} == {pacs.address.removeprefix("http://")}


def test_proxies_and_netrc_of_the_machine_are_not_used(
    pacs: FakePacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    get(pacs, tmp_path)
    assert "Authorization" not in pacs.asked[0][2]


# --- storing ---------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.dcm"
    path.write_bytes(slice_file(1))
    return path


def test_a_file_is_stored_as_it_is(pacs: FakePacs, file: Path) -> None:
    store(pacs.server(), file)
    assert file.read_bytes() in pacs.stored[0]


@pytest.mark.parametrize("fault", [status(503), drop, hang])
def test_storing_is_tried_again_with_the_same_bytes(pacs: FakePacs, file: Path, fault: Any) -> None:
    pacs.faults = [fault]
    store(pacs.server(), file)
    assert methods(pacs) == ["POST", "POST"] and file.read_bytes() in pacs.stored[0]


FAILED = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [45070]}}]}}


@pytest.mark.parametrize("answer", [status(409, FAILED), status(200, FAILED), status(409)])
def test_what_is_there_already_counts_as_stored(pacs: FakePacs, file: Path, answer: Any) -> None:
    pacs.faults = [answer]
    store(pacs.server(), file)
    assert methods(pacs) == ["POST", "GET"]


@pytest.mark.parametrize("answer", [status(409, FAILED), status(200, FAILED), status(202, FAILED)])
def test_what_failed_and_is_not_there_is_refused(pacs: FakePacs, file: Path, answer: Any) -> None:
    pacs.files, pacs.faults = {}, [answer]
    with pytest.raises(PacsRefused, match="does not take"):
        store(pacs.server(), file)
    pacs.faults = [answer, status(404)]
    with pytest.raises(PacsRefused, match="does not take"):
        store(pacs.server(), file)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 415])
def test_a_refusal_to_store_is_told_at_once(pacs: FakePacs, file: Path, code: int) -> None:
    pacs.faults = [status(code)]
    with pytest.raises(PacsRefused):
        store(pacs.server(), file)
    assert len(pacs.asked) == 1


# --- privacy ---------------------------------------------------------------------------------------


FAULTS: list[Any] = [
    status(503), status(500), status(401), status(404), status(302, Location="http://elsewhere/1.2.826"), drop, hang,
    status(200, {"00080018": "1.2.826.0.1"}), status(200, "1.2.826.0.1", Warning="299 1.2.826.0.1"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_neither_errors_nor_logs_say_whose_pictures_they_are(
    pacs: FakePacs,
    tmp_path: Path,
    fault: Any,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for skip in range(4):  # another request meets the fault
        pacs.asked.clear()
        pacs.faults = [lambda handler: handler._get()] * skip + [fault] * 5
        try:
            get(pacs, tmp_path, timeout_s=0.2)
        except ServiceError as error:
            shown = "".join(traceback.format_exception(error))
            assert secrets_in(str(error)) == [] and error.__context__ is None
            assert secrets_in(shown) == []
    printed = capfd.readouterr()
    assert secrets_in(caplog.text + printed.out + printed.err) == []
