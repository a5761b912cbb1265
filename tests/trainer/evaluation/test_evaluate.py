"""From question to result: what counts, what is kept apart, and that one volume at a time is enough."""

import json

import numpy as np
import pytest

from shared.contract.cautions import RESEARCH_ONLY, SYNTHETIC_TRUTH_WARNING
from shared.datasets.pseudonym import pseudonym
from tests.fakes.evaluation import EMPTY, Answers, Study, model_folder, square
from trainer.evaluation.choosing import DoesNotFit, NothingToEvaluate
from trainer.evaluation.evaluate import Question, evaluate

# Patient n's tumour is four columns wide; a model that finds n of them has a Dice of 2n / (n + 4).
NAMES = ("A", "B", "C", "D")
TRUTHS = {name: [EMPTY, square(), square()] for name in NAMES}
FOUND = {name: [EMPTY, square(width=n), square(width=n)] for n, name in enumerate(NAMES, start=1)}
SCORES = {name: 2 * n / (n + 4) for n, name in enumerate(NAMES, start=1)}


def question(folder, dataset, **changes):
    values = {"against": None, "dataset_name": "study", "split": "all", "flips_on": None, "device": "cpu"}
    return Question(model=folder, dataset=dataset, **(values | changes))


def ask(tmp_path, dataset, folder, found=FOUND, answers=None, heard=None, **changes):
    answers = answers or Answers(**{folder.name: found})
    on_progress = (lambda share: None) if heard is None else heard.append
    return evaluate(question(folder, dataset, **changes), tmp_path, on_progress, answers.tools())


def rows(result):
    return {row["patient"]: row for row in result["per_patient"]}


def test_the_headline_is_the_mean_of_the_patients(tmp_path):
    heard = []
    result = ask(tmp_path, Study(TRUTHS), model_folder(tmp_path), heard=heard)
    assert result["dice"]["patient"]["mean"] == pytest.approx(np.mean(list(SCORES.values())), rel=1e-5)
    assert result["counts"]["patients"] == 4
    assert result["counts"]["both_empty_slices"] == 4
    assert {p: row["dice"] for p, row in rows(result).items()} == pytest.approx(
        {pseudonym(name): score for name, score in SCORES.items()}, rel=1e-5
    )
    assert result["area_error"]["unit"] == "pixels"
    assert rows(result)[pseudonym("A")]["predicted_area"] == 8
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert (tmp_path / "report.html").read_text() == "a report"
    json.dumps(result, allow_nan=False)


def test_the_result_has_the_fields_that_clients_count_on(tmp_path):
    result = ask(tmp_path, Study(TRUTHS), model_folder(tmp_path))
    assert {
        "model", "against", "dataset", "split", "test_time_augmentation", "threshold", "policy", "counts", "overlap",
        "dice", "iou", "precision", "recall", "specificity", "accuracy", "hd95", "area_error", "detection", "classes",
        "t_test", "anova", "bland_altman", "comparison", "seen", "per_patient", "leak", "warnings", "timings_s",
    } == set(result)  # fmt: skip
    for name in ("dice", "iou", "precision", "recall", "specificity", "accuracy", "hd95", "area_error"):
        assert {"slice", "patient", "pooled"} <= set(result[name])
        assert set(result[name]["patient"]) == {"mean", "median", "ci95", "n", "excluded"}
    assert set(result["overlap"]) == {"known", "images", "patients", "of_images", "of_patients", "detail"}
    assert set(result["model"]) >= {"id", "name", "version", "architecture", "encoder", "parameters"}
    assert set(result["dataset"]) == {"name", "format", "truth"}
    assert RESEARCH_ONLY in result["warnings"]


def test_no_patient_s_name_is_in_the_result(tmp_path):
    dataset = Study({f"Smith^{name}": slices for name, slices in TRUTHS.items()})
    found = {f"Smith^{name}": slices for name, slices in FOUND.items()}
    result = ask(tmp_path, dataset, model_folder(tmp_path), found)
    assert "Smith" not in json.dumps(result)


def test_a_stored_dataset_s_pseudonyms_stay_as_they_are(tmp_path):
    dataset = Study({pseudonym(name): slices for name, slices in TRUTHS.items()})
    found = {pseudonym(name): slices for name, slices in FOUND.items()}
    result = ask(tmp_path, dataset, model_folder(tmp_path), found)
    assert set(rows(result)) == {pseudonym(name) for name in NAMES}


def test_one_picture_that_was_trained_on_keeps_its_patient_out_of_the_headline(tmp_path):
    dataset = Study(TRUTHS)
    folder = model_folder(tmp_path, learned=dataset.digests("D")[:1])
    result = ask(tmp_path, dataset, folder)
    fresh = [SCORES[name] for name in "ABC"]
    assert result["dice"]["patient"]["mean"] == pytest.approx(np.mean(fresh), rel=1e-5)
    assert result["dice"]["patient"]["n"] == result["t_test"]["n"] == result["detection"]["patient"]["n"] == 3
    assert (result["overlap"]["images"], result["overlap"]["patients"]) == (1, 1)
    assert (result["overlap"]["of_images"], result["overlap"]["of_patients"]) == (12, 4)
    assert result["overlap"]["known"] is True
    assert result["seen"]["patients"] == 1
    assert result["seen"]["dice"]["patient"]["mean"] == SCORES["D"]
    assert [row["patient"] for row in result["per_patient"] if row["seen"]] == [pseudonym("D")]
    assert result["overlap"]["detail"] in result["warnings"]


def test_where_nobody_is_left_there_is_no_headline_and_the_reason_is_said(tmp_path):
    dataset = Study(TRUTHS)
    result = ask(tmp_path, dataset, model_folder(tmp_path, learned=dataset.digests(*NAMES)))
    assert result["dice"]["patient"] == {"mean": None, "median": None, "ci95": None, "n": 0, "excluded": 0}
    assert (result["t_test"]["p"], result["bland_altman"]["bias"]) == (None, None)
    assert result["seen"]["dice"]["patient"]["n"] == 4
    assert any("There is no headline: all 4 patients" in text for text in result["warnings"])
    json.dumps(result, allow_nan=False)


def test_where_pictures_were_not_recorded_that_is_said(tmp_path):
    folder = model_folder(tmp_path, learned=None, provenance={"split": {"train": ["B"]}})
    result = ask(tmp_path, Study(TRUTHS), folder)
    assert result["overlap"]["known"] is False
    assert result["overlap"]["patients"] == 1
    assert any("was not recorded" in text for text in result["warnings"])


def test_two_models_are_compared_on_patients_that_neither_has_seen(tmp_path):
    dataset = Study(TRUTHS)
    ours = model_folder(tmp_path, "ours", learned=dataset.digests("A"))
    theirs = model_folder(tmp_path, "theirs", learned=dataset.digests("B"))
    found = FOUND | {"C": TRUTHS["C"], "D": FOUND["A"]}
    answers, heard = Answers(ours=found, theirs=FOUND), []
    result = ask(tmp_path, dataset, ours, answers=answers, heard=heard, against=theirs)
    compared = result["comparison"]
    assert result["against"]["id"] == "theirs"
    assert (compared["n"], compared["wins"], compared["losses"], compared["ties"]) == (2, 1, 1, 0)
    assert compared["mean"] == pytest.approx((1 - SCORES["C"] + SCORES["A"] - SCORES["D"]) / 2, rel=1e-5)
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert 0.4 < heard[len(heard) // 2] < 0.6
    assert result["dice"]["patient"]["n"] == compared["against"]["dice"]["patient"]["n"] == 2
    assert result["seen"]["patients"] == 2
    assert rows(result)[pseudonym("C")]["dice_against"] == pytest.approx(SCORES["C"], rel=1e-5)


def test_what_one_of_two_models_has_seen_is_unknown_where_it_was_not_recorded(tmp_path):
    ours, theirs = model_folder(tmp_path, "ours"), model_folder(tmp_path, "theirs", learned=None)
    result = ask(tmp_path, Study(TRUTHS), ours, answers=Answers(ours=FOUND, theirs=FOUND), against=theirs)
    assert result["overlap"]["known"] is False
    assert "Which pictures theirs learned from was not recorded" in result["overlap"]["detail"]


def test_only_the_test_patients_where_they_are_asked_for(tmp_path):
    folder = model_folder(tmp_path, provenance={"split": {"test": ["B", pseudonym("C")]}})
    result = ask(tmp_path, Study(TRUTHS), folder, split="test")
    assert set(rows(result)) == {pseudonym("B"), pseudonym("C")}
    assert result["split"] == "test"
    assert result["leak"] is None


def test_no_test_patient_is_said_before_any_model_is_opened(tmp_path):
    answers = Answers()
    with pytest.raises(NothingToEvaluate):
        ask(tmp_path, Study(TRUTHS), model_folder(tmp_path), answers=answers, split="test")
    assert answers.flips == []


def test_channels_that_do_not_fit_are_said_before_any_model_is_opened(tmp_path):
    answers = Answers()
    four = model_folder(tmp_path, "four", in_channels=4)
    with pytest.raises(DoesNotFit, match="four takes 4 channels; there are 3 channels in this dataset"):
        ask(tmp_path, Study(TRUTHS), model_folder(tmp_path), answers=answers, against=four)
    assert answers.flips == []


@pytest.mark.parametrize("split", ["test", "all"])
def test_a_split_by_slice_is_said_to_leak(tmp_path, split):
    provenance = {"recipe": {"split": "slice"}, "split": {"test": ["A/2", "B/3"]}}
    folder = model_folder(tmp_path, provenance=provenance)
    result = ask(tmp_path, Study(TRUTHS), folder, split=split)
    assert "neighbouring slices of the same patient" in result["leak"]
    assert ("kept out of the headline" in result["leak"]) is (split == "all")
    assert result["counts"]["slices"] == (2 if split == "test" else 12)


@pytest.mark.parametrize(
    ("flips_on", "own", "expected"),
    [
        (None, ["vertical"], None),
        (False, ["vertical"], ()),
        (True, ["vertical"], ["vertical"]),
        (True, [], ("horizontal", "vertical", "both")),
    ],
)
def test_test_time_flips_are_those_of_the_question_else_of_the_card(tmp_path, flips_on, own, expected):
    folder = model_folder(tmp_path, test_time_augmentation=own)
    answers = Answers(model=FOUND)
    ask(tmp_path, Study(TRUTHS), folder, answers=answers, flips_on=flips_on)
    assert answers.flips == [expected]


def test_the_engine_that_was_asked_for_opens_both_models_and_is_named_with_its_device(tmp_path):
    ours, theirs = model_folder(tmp_path, "ours"), model_folder(tmp_path, "theirs")
    answers = Answers(ours=FOUND, theirs=FOUND)
    asked = {"against": theirs, "engine": "torch", "cache_dir": tmp_path / "cache", "device": "cuda:1"}
    result = ask(tmp_path, Study(TRUTHS), ours, answers=answers, **asked)
    for model, name in ((result["model"], "torch-for-ours"), (result["against"], "torch-for-theirs")):
        assert (model["engine"], model["device"]) == (name, "cuda:1")
    assert answers.kept_in == [tmp_path / "cache"] * 2


def test_classes_of_the_same_names_are_measured_whatever_their_order(tmp_path):
    dataset = Study({"A": [square(label=1)], "B": [square(label=2)]}, classes=("core", "Oedema"))
    folder = model_folder(tmp_path, classes=("oedema", "core"))
    result = ask(tmp_path, dataset, folder, {"A": [square(label=2)], "B": [square(label=2)]})
    assert [(one["name"], one["dice"]["patient"]["mean"]) for one in result["classes"]] == [
        ("core", 0.5),
        ("Oedema", 0.5),
    ]
    assert result["dice"]["patient"]["mean"] == 1


@pytest.mark.parametrize(
    ("true", "found"),
    [
        (("core", "oedema"), ("tumour",)),
        (("tumour",), ("core", "oedema")),
        (("core", "oedema"), ("core", "other")),
    ],
)
def test_other_classes_are_measured_as_whole_tumour(tmp_path, true, found):
    dataset = Study({"A": [square(label=len(true))]}, classes=true)
    result = ask(tmp_path, dataset, model_folder(tmp_path, classes=found), {"A": [square(label=len(found))]})
    assert result["classes"] == []
    assert result["dice"]["patient"]["mean"] == 1


def test_cohorts_are_compared_and_named_in_the_table(tmp_path):
    dataset = Study(TRUTHS, groups={"site": {"A": "X", "B": "X", "C": "Y", "D": "Y"}})
    result = ask(tmp_path, dataset, model_folder(tmp_path))
    assert [group["name"] for group in result["anova"][0]["groups"]] == ["X", "Y"]
    assert rows(result)[pseudonym("C")]["groups"] == {"site": "Y"}


def test_millimetres_where_every_spacing_is_known_and_a_warning_where_some_are_not(tmp_path):
    known = dict.fromkeys(NAMES, (4.0, 0.5, 0.5))
    folder = model_folder(tmp_path)
    result = ask(tmp_path, Study(TRUTHS, spacings=known), folder)
    assert (result["hd95"]["unit"], result["t_test"]["unit"]) == ("mm", "mm2")
    assert rows(result)[pseudonym("A")]["true_area"] == 32 * 0.25
    partly = ask(tmp_path, Study(TRUTHS, spacings={"A": known["A"]}), folder)
    assert partly["area_error"]["unit"] == "pixels"
    assert any("pixel spacing of 3 patients is not known" in text for text in partly["warnings"])


def test_made_up_masks_are_warned_of(tmp_path):
    result = ask(tmp_path, Study(TRUTHS, truth="synthetic circles"), model_folder(tmp_path))
    assert SYNTHETIC_TRUTH_WARNING in result["warnings"]
    assert result["dataset"]["truth"] == "synthetic circles"


def test_whoever_listens_may_break_off(tmp_path):
    class Enough(Exception):
        pass

    def stop(share):
        if share > 0.4:
            raise Enough

    with pytest.raises(Enough):
        evaluate(
            question(model_folder(tmp_path), Study(TRUTHS)), tmp_path, stop, Answers(model=FOUND).tools()
        )
    assert not (tmp_path / "report.html").exists()


def test_one_volume_is_alive_at_a_time(tmp_path):
    many = {f"P{n:02}": [square()] for n in range(20)}
    answers = Answers(model=many)
    ask(tmp_path, Study(many), model_folder(tmp_path), answers=answers)
    assert answers.alive == 1
