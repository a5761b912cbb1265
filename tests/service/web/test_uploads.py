"""Large files on their way in: to disk, counted and hashed, and never in memory."""

import hashlib
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from service.web.request_body import LEAST_BYTES_A_SECOND, TimedInput
from service.web.uploads import FILE_IN_MEMORY, REQUEST_IN_MEMORY, Reception, Upload, Uploads
from shared.contract.errors import PayloadTooLarge, StorageUnavailable
from tests.service.conftest import Api

MIB = 1 << 20


class Large(io.RawIOBase):
    """A form with one file of so many bytes, which are never all there."""

    HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    END = b"\r\n--x--\r\n"

    def __init__(self, size: int, begins: bytes = b"", name: bytes = b"file") -> None:
        self.HEAD = self.HEAD.replace(b'file"', name + b'"', 1) + begins
        size -= len(begins)
        self.length = len(self.HEAD) + size + len(self.END)
        self._place, self._size = 0, size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self.length)[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        take = min(len(buffer), 1 << 16)
        if self._place < len(self.HEAD):
            data = self.HEAD[self._place :][:take]
        elif (left := len(self.HEAD) + self._size - self._place) > 0:
            data = bytes(min(left, take))
        else:
            data = self.END[-left:][:take]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def peak_of(api: Api, size: int) -> int:
    body = Large(size)
    tracemalloc.start()
    try:
        answer = api.client.post(
            "/v1/datasets", input_stream=io.BufferedReader(body),
            content_type="multipart/form-data; boundary=x",
        )  # fmt: skip
        assert answer.status_code == 422 and list(answer.json["errors"]) == ["name"]  # read to its end
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_flat_however_large_the_file(api: Api) -> None:
    peak_of(api, 1000)
    assert peak_of(api, 48 * MIB) < peak_of(api, 2 * MIB) + 2 * MIB


def _written(reception: Reception, *pieces: bytes) -> Upload:
    upload = reception.open()
    for piece in pieces or (b"ab", b"c"):
        upload.write(piece)
    upload.seek(0)
    return upload


DICOM = bytes(128) + b"DICM"


def test_memory_stays_flat_however_large_the_volume(api: Api) -> None:
    def peak(size: int) -> int:
        tracemalloc.start()
        try:
            answer = api.client.post(
                "/v1/segmentations",
                input_stream=io.BufferedReader(Large(size, DICOM, b"image")),
                content_type="multipart/form-data; boundary=x",
            )
            assert answer.status_code == 202
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(6 * MIB)
    assert small < 24 * MIB  # what stays in memory of a request, twice for a moment
    assert peak(300 * MIB) < small + 8 * MIB
    stored = [name for name in api.files() if name.endswith("source.zip")]
    sizes = sorted(api.parts.stored.files.size(name) for name in stored)
    assert 300 * MIB < sizes[1] < 301 * MIB and not list(
        (api.parts.settings.store.data_dir / "uploads").iterdir()
    )


def test_what_nobody_takes_is_removed(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    with uploads.receiving() as reception:
        kept, left = _written(reception), _written(reception)
        with kept.open() as file:
            assert left.read() == kept.data() == file.read() == b"abc"
        assert kept.bytes == 3 and kept.sha256 == hashlib.sha256(b"abc").hexdigest()
        assert (kept.path.stat().st_mode & 0o777, kept.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        kept.path.rename(tmp_path / "kept")
    assert not list((tmp_path / "uploads").iterdir()) and (tmp_path / "kept").read_bytes() == b"abc"


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "abc.part").write_bytes(b"x")
    uploads = Uploads(tmp_path / "uploads")
    uploads.clear()
    uploads.clear()
    assert not (tmp_path / "uploads").exists()


def test_a_disk_that_takes_no_more_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with Uploads(tmp_path / "file").receiving() as reception, pytest.raises(StorageUnavailable):
        reception.open()


def test_small_files_stay_in_memory_and_large_ones_and_many_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    with Uploads(folder).receiving(in_memory=True) as reception:
        small = _written(reception)
        assert small.data() == b"abc" and small.sha256 == hashlib.sha256(b"abc").hexdigest()
        assert not small.on_disk and not folder.exists()
        large = _written(reception, b"a" * FILE_IN_MEMORY, b"b")
        assert large.on_disk and large.bytes == FILE_IN_MEMORY + 1 == len(large.data())
        assert large.head == b"a" * 4096
        assert large.sha256 == hashlib.sha256(large.data()).hexdigest()
        many = [
            _written(reception, b"c" * FILE_IN_MEMORY) for _ in range(REQUEST_IN_MEMORY // FILE_IN_MEMORY)
        ]
        assert [each.on_disk for each in many] == [False, False, False, True]
        assert reception.bytes == 3 + large.bytes + 4 * FILE_IN_MEMORY
    assert not list(folder.iterdir())


def test_a_series_does_not_hold_a_file_descriptor_for_each_file(tmp_path: Path) -> None:
    with Uploads(tmp_path).receiving() as reception:
        made = [_written(reception) for _ in range(20)]
        open_files = [each for each in made if not each._file.closed]
        assert len(open_files) == 1 and all(each.data() == b"abc" for each in made)


def test_a_file_may_be_refused_while_it_arrives(tmp_path: Path) -> None:
    def watch(upload: Upload) -> None:
        if upload.bytes > 3:
            raise PayloadTooLarge

    with (
        pytest.raises(PayloadTooLarge),
        Uploads(tmp_path / "uploads").receiving(in_memory=True, watch=watch) as reception,
    ):
        _written(reception, b"abc", b"d")


class Line:
    """Gives `step` bytes at each read, one second apart by the clock of the test."""

    def __init__(self, clock: list[float], step: int, total: int) -> None:
        self.clock, self.step, self.left = clock, step, total

    def read(self, size: int) -> bytes:
        self.clock[0] += 1
        data = bytes(min(self.step, self.left, size))
        self.left -= len(data)
        return data


@pytest.mark.parametrize(
    ("a_second", "ends"), [(LEAST_BYTES_A_SECOND + 100, True), (LEAST_BYTES_A_SECOND // 2, False)]
)
def test_a_slow_line_gets_time_and_a_drip_does_not(
    a_second: int, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("service.web.request_body.time.monotonic", lambda: clock[0])
    body = TimedInput(Line(clock, a_second, 1000 * a_second), None)
    seconds = 0
    try:
        while body.read(MIB):
            seconds += 1
    except Exception as error:
        assert getattr(error, "code", None) == 408
    assert (seconds == 1000) == ends and seconds > 120
