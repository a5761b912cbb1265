"""An evaluation's process does what its order says, and tells the result."""

import io
import json

import pytest

from tests.fakes.study import make_study
from trainer.evaluation import evaluate as evaluating
from trainer.evaluation.child import do
from trainer.evaluation.evaluation_order import EvaluationChildOrder
from trainer.evaluation.stored import StoredDataset
from trainer.jobs.child_side import EventPipe


class Silent:
    cancel = stop = False


@pytest.fixture
def out():
    return io.StringIO()


def said(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_order_is_a_line_and_back():
    order = EvaluationChildOrder("m", None, "d", "lgg", {"a": 1}, "näme\n", "all", None, "o", "cpu", 0, nice=5)
    assert order.to_line().count("\n") == 1
    assert EvaluationChildOrder.from_line(order.to_line()) == order


def test_the_question_is_that_of_the_order(out, tmp_path, monkeypatch):
    asked = []

    def evaluate(question, folder, on_progress):
        asked.append((question, folder))
        on_progress(1.0)
        return {"dice": 1}

    monkeypatch.setattr(evaluating, "evaluate", evaluate)
    make_study(tmp_path / "data", patients=2, slices=3)
    order = EvaluationChildOrder(
        "m", "a", str(tmp_path / "data"), "lgg", {}, "my study", "test", True, "o", "cpu", 1, nice=0,
        engine="torch", cache="kept",
    )  # fmt: skip
    do(order, EventPipe(out, Silent()))
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
