"""What an evaluation's process says and hears, and how it explains its end."""

import errno
import io
import json

import pytest

from shared.contract.config import ConfigError
from shared.contract.errors import DatasetError, InvalidFields, ServiceError, UndecodableImage
from tests.fakes.study import make_study
from trainer.evaluation import evaluate as evaluating
from trainer.evaluation.child import Pipe, do, explain
from trainer.evaluation.order import EvaluationOrder
from trainer.evaluation.stored import StoredDataset
from trainer.jobs.child_side import Ended


class Silent:
    cancel = stop = False


@pytest.fixture
def out():
    return io.StringIO()


def said(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_progress_is_told_once_a_second_at_most(out):
    now = [100.0]
    pipe = Pipe(out, Silent(), clock=lambda: now[0])
    for share in (0.0, 0.1, 0.2):
        pipe.progress(share)
    now[0] += 1
    pipe.progress(0.33333)
    assert [event["share"] for event in said(out)] == [0.0, 0.3333]


@pytest.mark.parametrize("command", ["cancel", "stop"])
def test_who_is_asked_to_end_breaks_off_at_the_next_progress(out, command):
    commands = Silent()
    setattr(commands, command, True)
    with pytest.raises(Ended):
        Pipe(out, commands).progress(0.5)
    assert said(out) == []


def test_nan_is_not_sent(out):
    with pytest.raises(ValueError, match="not JSON compliant"):
        Pipe(out, Silent()).send("finished", result={"dice": float("nan")})
    assert out.getvalue() == ""


def test_an_order_is_a_line_and_back():
    order = EvaluationOrder("m", None, "d", "lgg", {"a": 1}, "näme\n", "all", None, "o", "cpu", 0, 5)
    assert order.to_line().count("\n") == 1
    assert EvaluationOrder.from_line(order.to_line()) == order


def test_the_question_is_that_of_the_order(out, tmp_path, monkeypatch):
    asked = []

    def evaluate(question, folder, on_progress):
        asked.append((question, folder))
        on_progress(1.0)
        return {"dice": 1}

    monkeypatch.setattr(evaluating, "evaluate", evaluate)
    make_study(tmp_path / "data", patients=2, slices=3)
    order = EvaluationOrder(
        "m", "a", str(tmp_path / "data"), "lgg", {}, "my study", "test", True, "o", "cpu", 1, 0,
        engine="torch", cache="kept",
    )  # fmt: skip
    do(order, Pipe(out, Silent()))
    ((question, folder),) = asked
    assert (str(question.model), str(question.against), str(folder)) == ("m", "a", "o")
    assert (question.dataset_name, question.split, question.flips_on) == ("my study", "test", True)
    assert (question.device, question.engine, str(question.cache_dir)) == ("cpu", "torch", "kept")
    assert said(out)[-1] == {"event": "finished", "result": {"dice": 1}}


def test_patients_are_called_by_pseudonyms_and_the_masks_are_said_to_be_whose_they_are(tmp_path):
    make_study(tmp_path, patients=2, slices=3)
    dataset = StoredDataset(tmp_path, "lgg", {})
    assert {item.patient[:2] for item in dataset.slices()} == {"p-"}
    assert len({item.patient for item in dataset.slices()}) == 2
    assert dataset.format == "lgg" and dataset.truth
    image, labels = dataset.read_labels(dataset.slices()[0])
    assert image.shape == (64, 64, 3) and labels.shape == (64, 64)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (DatasetError("Smith/a.tif is broken"), "dataset_invalid", "upload it again"),
        (UndecodableImage("Smith/a.tif is broken"), "dataset_invalid", "upload it again"),
        (ConfigError("ENGINE is wrong"), "evaluation_failed", "ENGINE is wrong"),
        (
            InvalidFields(errors={"model": ["takes 4 channels"]}),
            "evaluation_failed",
            "model: takes 4 channels",
        ),
        (ServiceError("no test patients"), "evaluation_failed", "no test patients"),
        (OSError(errno.ENOSPC, "x"), "disk_full", "Make room"),
        (MemoryError(), "out_of_memory", "memory"),
        (RuntimeError("CUDA out of memory. Tried"), "out_of_memory", "memory"),
        (KeyError("Smith/a.tif"), "evaluation_failed", "KeyError"),
        (PermissionError(errno.EACCES, "x", "Smith/a.tif"), "evaluation_failed", "Permission denied"),
    ],
)
def test_failures_are_explained(tmp_path, error, code, says):
    failure = explain(error, tmp_path)
    assert failure.code == code and says in failure.detail
    assert "Smith" not in failure.detail


def test_a_dataset_whose_files_are_gone_was_deleted(tmp_path):
    assert explain(FileNotFoundError("a.tif"), tmp_path / "gone").code == "dataset_gone"
