"""Models come from where they lie, are checked, and are copied from a remote store once."""

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from shared.contract.errors import ModelUnusable
from shared.database.models import Models
from shared.files.store import FileStore
from shared.registry.cards import ModelCard
from tests.fakes.model import make_model
from tests.fakes.stored_model import WEIGHTS, store_model
from trainer.engines.opening import SWEEP_AFTER_S, ModelFolders, Opener


class RemoteStore(FileStore):
    """A folder that is no folder of this host, as far as one can see; counts what is fetched."""

    fetched = 0

    def local_path(self, path):
        super().local_path(path)

    def fetch(self, path, local):
        self.fetched += 1
        super().fetch(path, local)


@pytest.fixture
def models(database):
    return Models(database)


@pytest.fixture
def remote(tmp_path):
    return RemoteStore(tmp_path / "remote")


@pytest.fixture
def folders(remote, tmp_path):
    return ModelFolders(remote, tmp_path / "shipped", tmp_path / "cache")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_shipped_model_lies_in_the_models_folder(folders, models, tmp_path):
    stored = replace(store_model(FileStore(tmp_path / "files"), models), location="shipped:lgg-unet")
    assert folders.folder(stored) == tmp_path / "shipped/lgg-unet"


def test_a_model_of_a_local_store_is_read_where_it_lies(models, files, tmp_path):
    folders = ModelFolders(files, tmp_path / "shipped", tmp_path / "cache")
    folder = folders.folder(store_model(files, models))
    assert folder == tmp_path / "files/models/imported.7"
    assert not (tmp_path / "cache").exists()


def test_a_model_of_a_remote_store_is_copied_once(folders, remote, models, tmp_path):
    stored = store_model(remote, models)
    for _ in range(2):
        assert folders.folder(stored) == tmp_path / "cache/models/imported.7"
    assert names(tmp_path / "cache/models") == [
        "imported.7",
        "imported.7/card.json",
        "imported.7/weights.safetensors",
    ]
    assert remote.fetched == 2


def test_what_lies_beside_the_weights_comes_along_also_into_an_older_copy(folders, remote, models):
    stored = store_model(remote, models)
    copy = folders.folder(stored)
    for name in ("learned.json", "history.json", "curves.png", "README.md"):
        remote.write(f"{stored.location}/{name}", name.encode())
    assert folders.folder(stored) == copy
    expected = ["card.json", "curves.png", "history.json", "learned.json", "weights.safetensors"]
    assert names(copy) == expected
    shutil.rmtree(copy)
    assert names(folders.folder(stored)) == expected
    assert (copy / "learned.json").read_bytes() == b"learned.json"


def test_a_damaged_copy_is_made_anew(folders, remote, models):
    stored = store_model(remote, models)
    weights = folders.folder(stored) / "weights.safetensors"
    weights.write_bytes(b"other")
    folders.folder(stored)
    assert weights.read_bytes() == WEIGHTS


def test_workers_of_one_host_may_copy_at_the_same_time(remote, models, tmp_path):
    stored, found, together = store_model(remote, models), [], threading.Barrier(4)

    def copy():
        folders = ModelFolders(remote, tmp_path, tmp_path / "cache")
        together.wait(10)
        found.append(folders.folder(stored))

    threads = [threading.Thread(target=copy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [tmp_path / "cache/models/imported.7"] * 4
    assert [path.name for path in (tmp_path / "cache/models").iterdir()] == ["imported.7"]


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("weights.safetensors", b"other", "SHA-256 differs"),
        ("weights.safetensors", None, "weights"),
        ("card.json", b"{}", "card of the model .* cannot be read"),
        ("card.json", None, r"card"),
        ("card.json", "threshold", "not the one that was registered"),
    ],
)
def test_files_that_are_not_the_registered_ones_are_not_used(
    remote, files, models, tmp_path, local, name, content, why
):
    store = files if local else remote
    stored = store_model(store, models)
    if content is None:
        store.delete_tree(f"{stored.location}/{name}")
    elif content == "threshold":
        card = store.read(f"{stored.location}/card.json").replace(b'"threshold": 0.5', b'"threshold": 0.4')
        store.write(f"{stored.location}/card.json", card)
    else:
        store.write(f"{stored.location}/{name}", content)
    with pytest.raises(ModelUnusable, match=why):
        ModelFolders(store, tmp_path, tmp_path / "cache").folder(stored)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_copies_of_deleted_models_are_dropped_after_a_while(folders, remote, models, tmp_path):
    paths = {id: folders.folder(store_model(remote, models, id)) for id in ("kept", "deleted", "young")}
    for id in ("kept", "deleted"):
        age(paths[id])
    for id in ("deleted", "young"):
        models.delete(id)
    Opener(models, folders, "cpu", "auto", tmp_path).sweep()
    assert {id for id, path in paths.items() if path.exists()} == {"kept", "young"}


def test_a_model_of_the_store_is_opened_and_answers(files, models, tmp_path):
    folder = make_model(tmp_path / "made", test_time_augmentation=["horizontal"])
    stored = ModelFolders(files, tmp_path / "made", tmp_path)
    card = models.register(ModelCard.load(folder / "card.json"), "models/stand-in.1").card
    target = files.local_path("models/stand-in.1")
    shutil.copytree(folder, target)
    opener = Opener(models, stored, "cpu", "torch", tmp_path)
    model = opener(card.id)
    assert (model.id, model.threshold, opener.engine) == ("stand-in", 0.5, model.engine.name)
    models.delete("stand-in")
    with pytest.raises(ModelUnusable, match="deleted"):
        opener("stand-in")


def age(path: Path):
    long_ago = path.stat().st_mtime - SWEEP_AFTER_S - 60
    os.utime(path, (long_ago, long_ago))
