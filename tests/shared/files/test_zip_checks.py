"""Archives from strangers: each way to do harm is refused by name, and memory stays flat."""

import io
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.errors import UnsafeArchive, UnsafeUpload
from shared.files import zip_checks
from shared.files.zip_checks import ArchiveLimits, check, unpack
from tests.fakes import zips
from tests.fakes.zips import Entry

LIMITS = ArchiveLimits()
GOOD = {"p1/a.png": b"one", "p1/b.png": b"", "p2/a.png": b"three" * 1000}
MIB = 1 << 20


def refused(data: bytes, limits: ArchiveLimits = LIMITS) -> str:
    with pytest.raises(UnsafeArchive) as caught:
        check(io.BytesIO(data), limits)
    return caught.value.detail


def unpacked(data: bytes, folder: Path) -> dict[str, bytes]:
    unpack(io.BytesIO(data), folder, LIMITS)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_honest_archive_is_listed_and_unpacked(tmp_path: Path, method: int) -> None:
    data = zips.archive(GOOD, method)
    listing = check(io.BytesIO(data), LIMITS)
    assert set(listing.names) == set(GOOD) and listing.bytes == 5003
    assert unpacked(data, tmp_path) == GOOD


def test_one_made_by_hand_is_honest_too(tmp_path: Path) -> None:
    """So that what the tests below refuse is refused for what they changed."""
    data = zips.by_hand([Entry("a/b.png", b"1"), Entry("a/ü.png", b"22", zipfile.ZIP_DEFLATED)])
    assert unpacked(data, tmp_path) == {"a/b.png": b"1", "a/ü.png": b"22"}


def test_what_systems_add_is_left_out(tmp_path: Path) -> None:
    junk = {"__MACOSX/p1/._a.png": b"", "p1/.DS_Store": b"", "p2/Thumbs.db": b"", "desktop.ini": b"",
            "p1/._a.png": b"", ".hidden/b.png": b""}  # fmt: skip
    assert unpacked(zips.archive(GOOD | junk), tmp_path) == GOOD


def test_an_archive_with_zip64_records_is_taken(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made, made.open("a.png", "w", force_zip64=True) as entry:
        entry.write(b"abc")
    data = stream.getvalue()
    place = data.index(b"PK\x01\x02")
    length = len(data) - 22 - place
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, length, place)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, place + length, 1)
    end = zips.END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert unpacked(data[:-22] + end64 + locator + end, tmp_path) == {"a.png": b"abc"}


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png", "a/../../evil.png", "a/..", "/etc/passwd", "C:/evil.png", "c:evil.png", "a\\b.png",
        "..\\evil.png", "a//b.png", "./a.png", "a/./b.png", "a\nb.png", "a\x7f.png", "a\u202egnp.exe", "a\x00b.png",
        "x" * 201, "/".join("abcdefghijklmnopq"), "y/" * 300 + "a", "",
    ],
)  # fmt: skip
def test_dangerous_names_are_refused(name: str, tmp_path: Path) -> None:
    data = zips.by_hand([Entry("good.png"), Entry(name)])
    shown = name[:20].split("\n")[0].split("\x00")[0].split("\x7f")[0].split("\u202e")[0] or "without a name"
    assert shown in refused(data)
    with pytest.raises(UnsafeArchive):
        unpack(io.BytesIO(data), tmp_path, LIMITS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("first", "second"),
    [("a.png", "a.png"), ("a.png", "A.PNG"), ("p/a", "P/b"), ("é.png", "e\u0301.png"), ("a", "a/b"), ("a/b", "a")],
)  # fmt: skip
def test_two_spellings_of_one_name_are_refused(first: str, second: str) -> None:
    assert second in refused(zips.by_hand([Entry(first), Entry(second)]))


def test_folders_may_be_listed_and_hold_many_files() -> None:
    data = zips.by_hand([Entry("a/", b""), Entry("a/1"), Entry("a/2"), Entry("a/b/", b""), Entry("a/b/1")])
    assert check(io.BytesIO(data), LIMITS).names == ("a/1", "a/2", "a/b/1")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_special_files_are_refused(kind: int) -> None:
    assert "bad" in refused(zips.by_hand([Entry("bad", b"/etc/passwd", mode=kind | 0o777)]))


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2000])
def test_encrypted_entries_are_refused(flags: int) -> None:
    assert "secret.png is encrypted" in refused(zips.by_hand([Entry("secret.png", flags=flags)]))


@pytest.mark.parametrize("method", [9, 12, 14, 93, 99])
def test_other_compressions_are_refused(method: int) -> None:
    assert "odd.png" in refused(zips.by_hand([Entry("odd.png", method=method)]))


@pytest.mark.parametrize("name", ["b.zip", "x/b.TAR", "b.tar.gz", "b.7z", "b.rar", "b.csv.gz", "b.xz"])
def test_archives_in_archives_are_refused_by_name(name: str) -> None:
    assert name in refused(zips.archive({"a.png": b"", name: b"x"}))


def test_a_compressed_volume_is_no_archive() -> None:
    assert check(io.BytesIO(zips.archive({"p/t1.nii.gz": b"x"})), LIMITS).names == ("p/t1.nii.gz",)


@pytest.mark.parametrize(
    "inner", [zips.archive(GOOD), b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"BZh9", b"\xfd7zXZ\x00"]
)
def test_archives_in_archives_are_refused_by_content(inner: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match=r"harmless\.png is an archive"):
        unpacked(zips.archive({"harmless.png": inner}), tmp_path)


def test_too_many_entries_are_refused() -> None:
    data = zips.archive({f"{n}.png": b"" for n in range(11)})
    assert "10" in refused(data, ArchiveLimits(max_files=10))
    assert len(check(io.BytesIO(data), ArchiveLimits(max_files=11)).names) == 11


def test_too_many_bytes_are_refused() -> None:
    data = zips.archive({"a": bytes(60), "b": bytes(60)})
    assert "120" in refused(data, ArchiveLimits(max_bytes=119))
    check(io.BytesIO(data), ArchiveLimits(max_bytes=120))


def test_a_bomb_is_refused_by_its_ratio() -> None:
    assert "200" in refused(zips.archive({"1.bmp": bytes(9 * MIB), "2.bmp": bytes(9 * MIB)}))
    assert "one.png" in refused(zips.by_hand([Entry("one.png", b"x" * 1000, size=1000 * 20_000)]))


def test_small_masks_of_one_colour_are_no_bomb() -> None:
    check(io.BytesIO(zips.archive({"mask.bmp": bytes(15 * MIB)})), LIMITS)


def test_entries_that_share_bytes_are_refused() -> None:
    assert "overlaps" in refused(zips.quoted_bomb(50, bytes(1 << 18)))


def test_an_entry_that_reaches_into_the_directory_is_refused() -> None:
    assert "overlaps" in refused(zips.by_hand([Entry("a", b"abc", packed=400, size=400)]))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PK", b"no zip" * 100, zips.archive(GOOD)[:-30], zips.archive(GOOD)[: 60], zips.archive({}),
        b"#!/bin/sh\n" + zips.archive(GOOD), zips.archive(GOOD) + b"more", zips.by_hand([Entry("a")], length=1 << 31),
        zips.by_hand([Entry("a")], offset=0), zips.by_hand([Entry("a")], before=b"\x7fELF"),
        zips.by_hand([Entry(b"\xff\xfe")]),
    ],
)  # fmt: skip
def test_what_is_no_whole_zip_is_refused(data: bytes) -> None:
    if data.endswith(zips.by_hand([Entry("a")], before=b"\x7fELF")):
        check(io.BytesIO(data), LIMITS)  # bytes before the first entry that the offsets know of do no harm
    else:
        refused(data)


def test_a_directory_too_large_for_memory_is_refused_before_it_is_read() -> None:
    class Huge(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.read_bytes += len(data)
            return data

    entries = b"PK\x01\x02" + bytes(42)
    data = entries * 100_000
    record = zips.END.pack(b"PK\x05\x06", 0, 0, 1, 1, len(data), 0, 0)
    file = Huge(data + record)
    with pytest.raises(UnsafeArchive, match="entries"):
        check(file, ArchiveLimits(max_files=5000))
    assert file.read_bytes < 2 * MIB


def test_a_wrong_checksum_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match="bad.png is damaged"):
        unpacked(zips.by_hand([Entry("good.png"), Entry("bad.png", b"abc", crc=1)]), tmp_path)


def test_broken_deflate_data_and_lying_sizes_are_named(tmp_path: Path) -> None:
    good = Entry("bad.png", b"abc" * 5000, zipfile.ZIP_DEFLATED)
    for n, bad in enumerate((Entry("bad.png", b"\xff" * 50, size=500, packed=50, method=0), good)):
        data = bytearray(zips.by_hand([bad]))
        data[45] ^= 0xFF
        with pytest.raises(UnsafeArchive, match="bad.png is damaged"):
            unpacked(bytes(data), tmp_path / str(n))


def test_an_entry_that_grows_beyond_what_it_says_is_cut_off(tmp_path: Path) -> None:
    data = zips.by_hand([Entry("liar.png", bytes(5 * MIB), zipfile.ZIP_DEFLATED, size=100)])
    with pytest.raises(UnsafeArchive, match=r"liar\.png"):
        unpacked(data, tmp_path)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*")) < MIB


def test_nothing_is_written_through_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        unpacked(zips.archive({"a.png": b"new"}), tmp_path / "out")
    assert (tmp_path / "target").read_bytes() == b"old"


def test_progress_is_told_and_may_break_off(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    unpack(io.BytesIO(zips.archive(GOOD)), tmp_path / "a", LIMITS, lambda done, of: told.append((done, of)))
    assert told[-1] == (5003, 5003) and told == sorted(told)

    def enough(done: int, of: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        unpack(io.BytesIO(zips.archive(GOOD)), tmp_path / "b", LIMITS, enough)


def test_memory_stays_flat(tmp_path: Path) -> None:
    """A file 100 times larger needs no more memory."""
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as made, made.open("a.bmp", "w") as entry:
        for _ in range(64):
            entry.write(bytes(MIB))
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            unpack(file, tmp_path / "out", LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out" / "a.bmp").stat().st_size == 64 * MIB
    assert peak < 8 * MIB


@given(st.lists(st.text(max_size=40), max_size=6))
def test_no_name_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Whatever the names: refused, or every file lies under the folder and under its own name."""
    folder = tmp_path_factory.mktemp("names") / "in"
    folder.mkdir()
    data = zips.by_hand([Entry(name.encode("utf-8", "replace")) for name in names])
    try:
        made = unpack(io.BytesIO(data), folder, LIMITS)
    except UnsafeArchive:
        assert not [path for path in folder.rglob("*") if path.is_file()]
    else:
        files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert files == set(made.names)
    assert [path.name for path in folder.parent.iterdir()] == ["in"]


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_flipped_byte_does_no_harm(place: int, flip: int) -> None:
    data = bytearray(
        zips.by_hand([Entry("a/1.png", b"abc" * 9), Entry("b/2.png", b"de" * 9, zipfile.ZIP_DEFLATED)])
    )
    data[place % len(data)] ^= flip
    try:
        listing = check(io.BytesIO(bytes(data)), LIMITS)
    except UnsafeArchive:
        return
    assert all(not name.startswith(("/", "..")) for name in listing.names)


def test_one_entry_is_read_whole_up_to_a_limit() -> None:
    with zipfile.ZipFile(io.BytesIO(zips.archive(GOOD))) as archive:
        assert zip_checks.read_entry(archive, "p1/a.png", 3) == b"one"
        with pytest.raises(UnsafeArchive):
            zip_checks.read_entry(archive, "p1/a.png", 2)


def test_another_name_in_an_extra_field_is_looked_at_too() -> None:
    """Python from 3.12 on takes `filename` from the Unicode Path field (0x7075), and leaves `orig_filename`."""
    info = zipfile.ZipInfo("a.png")
    info.filename = "../escaped.txt"
    with pytest.raises(zip_checks._Unsafe, match="leads out"):
        zip_checks._check_names(info)
    info.filename = "ä.png"
    zip_checks._check_names(info)


PATIENT = "Doe^Jane"


@pytest.mark.parametrize(
    "entry",
    [
        Entry(f"../{PATIENT}"),
        Entry(f"{PATIENT}.zip"),
        Entry(PATIENT, method=12),
        Entry(PATIENT, flags=1),
        Entry(PATIENT, mode=stat.S_IFLNK | 0o777),
        Entry("good.png"),
        Entry(PATIENT, offset=1 << 20),
    ],
)
def test_of_patients_no_name_is_repeated(entry: Entry) -> None:
    data = zips.by_hand([Entry("good.png"), Entry(f"series/{PATIENT}"), entry])
    with pytest.raises(UnsafeUpload) as caught:
        check(io.BytesIO(data), LIMITS, of_patients=True)
    assert "Entry 3 of 3 " in caught.value.detail and "Doe" not in caught.value.detail
    assert caught.value.__suppress_context__


def test_of_patients_what_breaks_while_it_is_unpacked_is_numbered_too(tmp_path: Path) -> None:
    data = zips.by_hand([Entry("a.dcm"), Entry(PATIENT, crc=1)])
    with pytest.raises(UnsafeUpload, match="^Entry 2 of 2 is damaged") as caught:
        unpack(io.BytesIO(data), tmp_path, LIMITS, of_patients=True)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"", zips.archive({})])
def test_of_patients_every_refusal_is_one_of_an_upload(data: bytes) -> None:
    with pytest.raises(UnsafeUpload):
        check(io.BytesIO(data), LIMITS, of_patients=True)
