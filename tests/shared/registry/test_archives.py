"""Archives of models: what we pack can be read anywhere, and what others packed is taken only if it is a model."""

import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.archives import InvalidModel, Member, members_of, packed, unpack, write_archive

PNG = b"\x89PNG\r\n\x1a\n..."
FILES = {"card.json": b"{}", "weights.safetensors": bytes(range(256)) * 2000}
LEARNED = b'{"digest": "blake2b-8", "pictures": "AAAAAAAAAAE="}'
ALL = {
    **FILES,
    "README.md": "# Tumörs".encode(),
    "curves.png": PNG,
    "history.json": b"[1]",
    "learned.json": LEARNED,
}
LIMIT = 1_000_000


def zipped(files, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return buffer.getvalue()


def taken(content, folder, limit=LIMIT):
    unpack(io.BytesIO(content), folder, limit)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def problems(content, folder, limit=LIMIT):
    with pytest.raises(InvalidModel) as caught:
        taken(content, folder, limit)
    return caught.value.errors


def test_a_folder_is_packed_and_read_back(tmp_path):
    folder, out = tmp_path / "model", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for name, data in ALL.items():
        (folder / name).write_bytes(data)
    (folder / "notes.txt").write_text("not of the model")
    write_archive(folder, tmp_path / "model.zip")
    assert taken((tmp_path / "model.zip").read_bytes(), out) == ALL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.zip", "out"]


def test_an_archive_is_stored_and_the_same_each_time(tmp_path):
    for name, data in ALL.items():
        (tmp_path / name).write_bytes(data)
    content = b"".join(packed(members_of(tmp_path)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(ALL)
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert content == b"".join(packed(members_of(tmp_path)))


def test_packing_holds_a_piece_at_a_time():
    source = io.BytesIO(bytes(5_000_000))
    sizes = [len(piece) for piece in packed([Member("weights.safetensors", lambda: source)])]
    assert sum(sizes) > 5_000_000
    assert max(sizes) < 300_000
    assert source.closed


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("files", [FILES, ALL])
def test_archives_of_others_are_read(tmp_path, files, method):
    assert taken(zipped(files, method), tmp_path) == files


@pytest.mark.parametrize(
    "name", ["../card.json", "/card.json", "model/card.json", "CARD.JSON", "run.py", "card.json ", "a\\b"]
)
def test_other_names_are_refused_and_nothing_is_written(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    assert problems(zipped({**FILES, name: b"x"}), inside).keys() == {repr(name)}
    assert list(tmp_path.rglob("*")) == [inside]


def test_all_that_is_wrong_with_the_names_is_said_at_once(tmp_path):
    wrong = [("card.json", b"{}"), ("card.json", b"{}"), ("x", b"")]
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zipped(wrong)
    assert problems(content, tmp_path).keys() == {"card.json", "'x'", "weights.safetensors"}


def test_all_that_is_wrong_with_the_files_is_said_at_once(tmp_path):
    odd = {
        **FILES,
        "README.md": b"\xff",
        "curves.png": b"GIF89a",
        "history.json": b"{",
        "learned.json": b"[]",
        "card.json": bytes(2 << 20),
    }
    assert problems(zipped(odd), tmp_path) == {
        "README.md": ["Is not UTF-8."],
        "curves.png": ["Is not a PNG."],
        "history.json": ["Is not JSON."],
        "learned.json": ["learned.json is not of a kind that is known here, or too long."],
        "card.json": ["Has more than 1048576 bytes."],
    }


def test_a_bomb_is_cut_off_at_the_limit(tmp_path):
    content = zipped({**FILES, "weights.safetensors": bytes(50_000_000)})
    assert len(content) < 100_000
    assert problems(content, tmp_path)["weights.safetensors"] == ["Has more than 1000000 bytes."]
    assert (tmp_path / "weights.safetensors").stat().st_size <= LIMIT


def test_a_size_that_lies_does_not_help(tmp_path):
    content = zipped({**FILES, "weights.safetensors": bytes(50_000_000)})
    lied = content.replace((50_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lied != content
    assert "weights.safetensors" in problems(lied, tmp_path)
    assert (tmp_path / "weights.safetensors").stat().st_size <= LIMIT


def test_one_changed_byte_is_noticed(tmp_path):
    content = bytearray(zipped(FILES, zipfile.ZIP_STORED))
    content[5000] ^= 1
    assert problems(bytes(content), tmp_path) == {
        "weights.safetensors": ["Is damaged or cut off (its checksum differs)."]
    }


def test_other_methods_and_encryption_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    assert "method" in problems(zipped(FILES, zipfile.ZIP_BZIP2), tmp_path / "a")["card.json"][0]
    content = bytearray(zipped(FILES, zipfile.ZIP_STORED))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 8] |= 1
    assert problems(bytes(content), tmp_path / "b") == {"weights.safetensors": ["Is encrypted."]}


def test_a_directory_of_many_entries_is_not_even_read(tmp_path, monkeypatch):
    content = zipped({f"{n}": b"" for n in range(3000)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "more entries" in problems(content, tmp_path)["file"][0]


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x89PNG", zipped(FILES)[:-1], zipped(FILES)[:2000], bytes(100)]
)
def test_what_is_no_zip_file_is_refused(tmp_path, content):
    assert problems(content, tmp_path).keys() == {"file"}


@given(st.data())
def test_whatever_is_changed_it_is_a_model_or_named(data):
    content = bytearray(zipped({**FILES, "weights.safetensors": b"123"}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = taken(bytes(content), Path(folder))
        except InvalidModel as error:
            assert error.errors
        else:
            assert found == {**FILES, "weights.safetensors": b"123"}
