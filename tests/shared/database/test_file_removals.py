"""What is forgotten is removed, also where a process dies between its row and its files."""

import pytest

from shared.contract.names import DEFAULT_ALIAS
from shared.database import file_removals
from shared.database.file_removals import FileRemovals
from shared.database.models import Models
from shared.files.paths import model_folder, run_folder
from shared.files.store import FileStore
from shared.jobs.training_runs import TrainingRuns
from tests.fakes import store
from tests.fakes.cards import card
from tests.fakes.studies import queued_run


@pytest.fixture(params=["folder", "memory"])
def files(request, tmp_path) -> FileStore:
    return FileStore(tmp_path / "files" if request.param == "folder" else f"memory://removals-{tmp_path.name}")


@pytest.fixture
def removals(database, files) -> FileRemovals:
    return FileRemovals(database, files)


def a_run(database, files) -> str:
    """A run that has ended, forgotten by a process that died before its files."""
    runs = TrainingRuns(database)
    run = queued_run(runs)
    files.write(f"{run_folder(run.id)}/samples.png", b"slices of patients")
    runs.cancel(run.id)
    runs.delete(run.id)
    return f"{run_folder(run.id)}/samples.png"


def a_model(database, files) -> str:
    """The same of a model."""
    models = Models(database)
    location = model_folder("imported", 7)
    files.write(f"{location}/weights.safetensors", b"weights")
    models.register(card("imported"), location)
    models.delete("imported")
    return f"{location}/weights.safetensors"


@pytest.mark.parametrize("made", [a_run, a_model])
def test_a_death_between_row_and_files_leaves_no_file(made, database, files, removals):
    path = made(database, files)
    assert files.exists(path)
    assert removals.sweep() == 1
    assert not files.exists(path)
    assert removals.sweep() == 0


@pytest.mark.parametrize("made", [a_run, a_model])
def test_a_folder_that_cannot_be_removed_is_tried_again(made, database, files, removals, monkeypatch):
    path = made(database, files)
    store.refuse(files, path.rpartition("/")[0], monkeypatch)
    assert removals.sweep() == 0
    monkeypatch.undo()
    assert removals.sweep() == 1 and not files.exists(path)


def test_one_that_cannot_be_removed_waits_behind_the_others(database, files, removals, monkeypatch):
    monkeypatch.setattr(file_removals, "_MOST", 1)
    stuck, other = a_run(database, files), a_run(database, files)
    store.refuse(files, stuck.rpartition("/")[0], monkeypatch)
    assert [removals.sweep(), removals.sweep()] == [0, 1]
    assert files.exists(stuck) and not files.exists(other)


def test_shipped_models_are_not_removed(database, files, removals):
    models = Models(database)
    models.register(card("kept"), "shipped:kept")
    models.register(card("other"), "shipped:other")
    models.set_alias(DEFAULT_ALIAS, "other")
    models.delete("kept")
    assert removals.sweep() == 0
