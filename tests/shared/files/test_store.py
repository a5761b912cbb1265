"""One suite over each kind of file store."""

import errno
import stat
import threading
from pathlib import Path

import pytest

from shared.contract.config import ConfigError
from shared.files import store_backends
from shared.files.paths import (
    checkpoint_path,
    dataset_archive_path,
    dataset_folder,
    model_folder,
    pixels_path,
    probability_path,
    run_folder,
    run_log_path,
    run_picture_path,
    segmentation_folder,
)
from shared.files.store import FileStore


@pytest.fixture(params=["path", "file", "memory"])
def store(request, tmp_path):
    urls = {
        "path": str(tmp_path / "s"),
        "file": f"file://{tmp_path}/s",
        "memory": f"memory://{tmp_path.name}",
    }
    return FileStore(urls[request.param])


@pytest.fixture
def local(tmp_path):
    return FileStore(tmp_path / "data" / "files")


@pytest.mark.parametrize("data", [b"", b"x", bytes(3_000_000)], ids=["empty", "small", "large"])
def test_what_is_written_is_read(store, data):
    store.write("a/b/c.bin", data)
    assert store.read("a/b/c.bin") == data
    with store.open("a/b/c.bin") as stream:
        assert stream.read() == data


def test_writing_again_replaces(store):
    store.write("a/b", b"a long first version")
    store.write("a/b", b"second")
    assert store.read("a/b") == b"second"


def test_a_missing_file_is_a_file_not_found(store):
    with pytest.raises(FileNotFoundError):
        store.read("a/none")
    with pytest.raises(FileNotFoundError):
        store.open("a/none")
    assert not store.exists("a/none")


def test_a_tree_is_deleted_whole_and_only_it(store):
    store.write("segmentations/one/pixels.npy", b"1")
    store.write("segmentations/one/deep/er", b"1")
    store.write("segmentations/two/pixels.npy", b"2")
    store.delete_tree("segmentations/one")
    store.delete_tree("segmentations/one")
    assert not store.exists("segmentations/one/pixels.npy")
    assert not store.exists("segmentations/one/deep/er")
    assert store.read("segmentations/two/pixels.npy") == b"2"


def test_one_file_can_be_deleted(store):
    store.write("a/b", b"1")
    store.write("a/c", b"2")
    store.delete_tree("a/b")
    assert not store.exists("a/b")
    assert store.exists("a/c")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        "a b",
        "a\0b",
        "a\\b",
        "ä",
        "a\n",
        "x" * 200,
    ],
)
def test_a_path_that_could_lead_out_is_refused(store, path):
    for operation in (
        store.read,
        store.open,
        store.exists,
        store.delete_tree,
        lambda p: store.write(p, b"x"),
        lambda p: store.put(p, Path("x")),
        lambda p: store.fetch(p, Path("x")),
        store.local_path,
        store.size,
    ):
        with pytest.raises(ValueError, match="not a path of the file store"):
            operation(path)


@pytest.mark.parametrize("data", [b"", b"x", bytes(3_000_000)], ids=["empty", "small", "large"])
def test_a_local_file_becomes_a_stored_one_and_comes_back(store, tmp_path, data):
    mine, back = tmp_path / "mine", tmp_path / "back"
    mine.write_bytes(data)
    store.put("a/b/c.bin", mine)
    assert not mine.exists()
    assert store.read("a/b/c.bin") == data
    assert store.size("a/b/c.bin") == len(data)
    store.fetch("a/b/c.bin", back)
    assert back.read_bytes() == data
    assert store.exists("a/b/c.bin")


def test_putting_and_fetching_replace(store, tmp_path):
    for version in (b"a long first version", b"second"):
        (tmp_path / "mine").write_bytes(version)
        store.put("a/b", tmp_path / "mine")
        store.fetch("a/b", tmp_path / "back")
    assert store.read("a/b") == (tmp_path / "back").read_bytes() == b"second"


def test_what_is_not_there_cannot_be_put_fetched_or_measured(store, tmp_path):
    for attempt in (
        lambda: store.put("a/b", tmp_path / "none"),
        lambda: store.fetch("a/none", tmp_path / "back"),
        lambda: store.size("a/none"),
    ):
        with pytest.raises(FileNotFoundError):
            attempt()
    assert not store.exists("a/b")
    assert not (tmp_path / "back").exists()


def test_a_fetch_that_breaks_leaves_the_old_file_and_no_trace(store, tmp_path, monkeypatch):
    store.write("a/b", b"new")
    folder = tmp_path / "back"
    folder.mkdir()
    (folder / "file").write_bytes(b"old")

    def disk_full(source, stream, piece):
        stream.write(b"n")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_backends.shutil, "copyfileobj", disk_full)
    with pytest.raises(OSError, match="No space"):
        store.fetch("a/b", folder / "file")
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("file", b"old")]


def test_only_a_local_store_tells_where_a_file_lies(store, tmp_path):
    store.write("a/b", b"x")
    path = store.local_path("a/b")
    assert path is None if "memory" in store.url else path == tmp_path / "s" / "a" / "b"


def test_a_put_file_is_moved_and_for_its_owner_alone(local, tmp_path):
    mine = tmp_path / "mine"
    mine.write_bytes(b"x")
    mine.chmod(0o644)
    inode = mine.stat().st_ino
    local.put("datasets/one/archive.zip", mine)
    stored = local.local_path("datasets/one/archive.zip").stat()
    assert stored.st_ino == inode
    assert stat.S_IMODE(stored.st_mode) == 0o600


def test_a_file_of_another_file_system_is_copied(local, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.write_bytes(bytes(3_000_000))
    replace = Path.replace

    def across(self, target):
        if self == mine:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", across)
    local.put("a/b", mine)
    assert not mine.exists()
    assert local.read("a/b") == bytes(3_000_000)
    assert [path.name for path in (tmp_path / "data/files/a").iterdir()] == ["b"]


def test_the_paths_of_training_lie_in_their_folders():
    assert dataset_archive_path("d1").startswith(f"{dataset_folder('d1')}/")
    paths = {
        run_log_path("r1"),
        run_picture_path("r1", "curves"),
        run_picture_path("r1", "samples"),
        checkpoint_path("r1", 2, 300),
        checkpoint_path("r1", 3, 300),
    }
    assert len(paths) == 5
    assert all(path.startswith(f"{run_folder('r1')}/") for path in paths)
    assert (model_folder("m1"), model_folder("m1", 2)) == ("models/m1", "models/m1.2")


def test_the_paths_of_a_segmentation_lie_in_its_folder(store):
    for path in (pixels_path("a1"), probability_path("a1")):
        store.write(path, b"x")
        assert path.startswith(segmentation_folder("a1") + "/")
    store.delete_tree(segmentation_folder("a1"))
    assert not store.exists(pixels_path("a1"))


def test_local_files_are_for_their_owner_alone(local, tmp_path):
    local.write("segmentations/one/pixels.npy", b"1")
    for path in (tmp_path / "data").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_write_that_breaks_leaves_the_old_file_and_no_trace(local, tmp_path, monkeypatch):
    local.write("a/b", b"old")

    def disk_full(stream, data):
        stream.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_backends, "_write_all", disk_full)
    with pytest.raises(OSError, match="No space"):
        local.write("a/b", b"new")
    assert local.read("a/b") == b"old"
    assert [path.name for path in (tmp_path / "data/files/a").iterdir()] == ["b"]


def test_readers_never_see_half_a_file(local):
    versions = [bytes([n]) * 200_000 for n in range(4)]
    local.write("a/b", versions[0])
    done = threading.Event()

    def write():
        for n in range(200):
            local.write("a/b", versions[n % 4])
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert local.read("a/b") in versions
    thread.join()


def test_deleting_from_many_threads_at_once_is_quiet(local):
    for n in range(50):
        local.write(f"t/d{n}/f", b"x")
    errors = []

    def delete():
        try:
            local.delete_tree("t")
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=delete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not local.exists("t")


def test_an_unusable_url_is_a_setting_to_mend_and_tells_no_secret():
    with pytest.raises(ConfigError) as caught:
        FileStore("nosuch://user:hunter2@bucket/x")
    assert "STORE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_relative_folder_does_not_move_with_the_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = FileStore("files")
    store.write("a", b"1")
    monkeypatch.chdir("/")
    assert store.read("a") == b"1"
    assert Path(tmp_path / "files" / "a").exists()
