"""Which patients are asked for, and which of them a model has seen."""

from pathlib import PurePosixPath

import pytest

from shared.contract.errors import ModelUnusable
from shared.datasets.base import SliceFile
from shared.datasets.pseudonym import pseudonym
from tests.fakes.cards import card
from tests.fakes.evaluation import model_folder
from trainer.evaluation.choosing import Memory, NothingToEvaluate, chosen, split_by_slice


def items(*names, slices=2):
    return [
        SliceFile(name, n, PurePosixPath(f"{name}/{n}.png"), PurePosixPath(f"{name}/{n}_m.png"))
        for name in names
        for n in range(1, slices + 1)
    ]


def named(**split):
    return card(provenance={"split": {"train": [], "validation": [], "test": []} | split})


def which(found):
    return [(item.patient, item.index) for item in found]


@pytest.mark.parametrize("call", [str, pseudonym])
@pytest.mark.parametrize("there", [str, pseudonym])
def test_test_patients_are_found_by_name_or_pseudonym(call, there):
    found = chosen(items(there("A"), there("B"), there("C")), "test", named(test=[call("B")]))
    assert which(found) == [(there("B"), 1), (there("B"), 2)]


def test_a_patient_whose_name_has_a_slash_is_no_slice_of_another():
    found = chosen(items("no/1", "yes/1", "yes"), "test", named(test=["yes/1"]))
    assert which(found) == [("yes", 1), ("yes/1", 1), ("yes/1", 2)]


@pytest.mark.parametrize("call", [str, pseudonym])
def test_of_a_split_by_slice_only_the_test_slices_are_taken(call):
    found = chosen(items("A", "B"), "test", named(test=[f"{call('A')}/2", f"{call('B')}/1"]))
    assert which(found) == [("A", 2), ("B", 1)]


def test_all_are_all_in_order_of_patient_and_position():
    found = chosen(list(reversed(items("A", "B"))), "all", card())
    assert which(found) == [("A", 1), ("A", 2), ("B", 1), ("B", 2)]


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (named(test=["Z"]), "None of the 1 test patients"),
        (named(), "names no test patients"),
        (card(provenance={"split": "by hand"}), "names no test patients"),
        (card(provenance={"split": {"test": "A"}}), "names no test patients"),
    ],
)
def test_without_test_patients_it_is_said_what_to_do(card, says):
    with pytest.raises(NothingToEvaluate, match=says) as raised:
        chosen(items("A"), "test", card)
    assert '"split": "all"' in raised.value.detail


def test_an_empty_dataset_is_nothing_to_evaluate():
    with pytest.raises(NothingToEvaluate, match="no slices"):
        chosen([], "all", card())


@pytest.mark.parametrize(
    ("provenance", "metrics", "by_slice"),
    [
        ({"recipe": {"split": "slice"}}, {}, True),
        ({}, {"split_by": "slice"}, True),
        ({"recipe": {"split": "patient"}}, {"split_by": "patient"}, False),
        ({"recipe": "by hand"}, {}, False),
        ({}, {}, False),
    ],
)
def test_a_card_tells_whether_its_split_was_by_slice(provenance, metrics, by_slice):
    assert split_by_slice(card(provenance=provenance, metrics=metrics)) is by_slice


def test_pictures_are_remembered_by_their_digest_alone(tmp_path):
    known = named(train=["B"])
    folder = model_folder(tmp_path, learned=[b"12345678"])
    memory = Memory.of(folder, known)
    (first, *_), (other, *_) = items("A"), items("B")
    assert memory.known
    assert memory.has(first, {b"87654321", b"12345678"})  # by one of its channels
    assert not memory.has(other, {b"87654321"})  # of the same name, and another picture
    assert not memory.has(first, ())  # a black one


def test_where_pictures_were_not_recorded_the_card_s_names_are_remembered(tmp_path):
    folder = model_folder(tmp_path, learned=None)
    memory = Memory.of(
        folder, named(train=["A", f"{pseudonym('C')}/2"], validation=[pseudonym("B")], test=["D"])
    )
    assert not memory.known
    seen = [(item.patient, item.index) for item in items("A", "B", "C", "D") if memory.has(item, b"12345678")]
    assert seen == [("A", 1), ("A", 2), ("B", 1), ("B", 2), ("C", 2)]


def test_a_damaged_record_is_not_taken_for_none(tmp_path):
    folder = model_folder(tmp_path)
    (folder / "learned.json").write_text("{}")
    with pytest.raises(ModelUnusable):
        Memory.of(folder, card())
