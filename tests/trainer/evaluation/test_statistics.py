"""The tests are those of scipy and of the textbook, say what they show, and survive studies with nothing to test."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from trainer.evaluation.statistics import anova, bland_altman, comparison, paired_areas

TRUE = np.array([100.0, 200.0, 300.0, 400.0])
PREDICTED = np.array([110.0, 205.0, 320.0, 405.0])


def test_the_t_test_is_the_mean_difference_over_its_error():
    """Differences 10, 5, 20, 5: mean 10, standard deviation sqrt(150 / 3), error half of it."""
    result = paired_areas(PREDICTED, TRUE, "mm2")
    assert result["mean_difference"] == 10
    assert result["t"] == pytest.approx(10 / (math.sqrt(150 / 3) / 2), rel=1e-5)
    expected = stats.ttest_rel(PREDICTED, TRUE)
    assert result["p"] == pytest.approx(expected.pvalue, rel=1e-5)
    assert result["ci95"] == pytest.approx(list(expected.confidence_interval()), rel=1e-5)
    assert (result["n"], result["unit"]) == (4, "mm2")


def test_a_small_p_is_called_a_difference_and_never_a_success():
    plain = paired_areas(TRUE + np.array([9, 10, 11, 10]), TRUE, "mm2")["plain"]
    assert "10 mm² larger" in plain
    assert "predicted and true areas differ" in plain
    assert "It is not a success" in plain


def test_a_large_p_is_no_proof_of_agreement():
    plain = paired_areas(TRUE + np.array([-90, 80, -10, 30]), TRUE, "pixels")["plain"]
    assert "no proof that the areas agree" in plain
    assert "success" not in plain


@pytest.mark.parametrize(
    ("predicted", "says"),
    [
        ([], "0 patients"),
        ([5.0], "1 patient"),
        (TRUE, "the same in every patient"),
        (TRUE + 7, "7 pixels larger"),
        (TRUE * 1.0 - 7, "7 pixels smaller"),
    ],
)
def test_without_spread_there_is_no_t_test(predicted, says):
    predicted = np.asarray(predicted, float)
    result = paired_areas(predicted, TRUE[: len(predicted)], "pixels")
    assert (result["t"], result["p"], result["ci95"]) == (None, None, None)
    assert says in result["plain"]
    json.dumps(result, allow_nan=False)


def test_limits_of_agreement_are_those_of_the_paper():
    result = bland_altman(PREDICTED, TRUE, "mm2")
    deviation = math.sqrt(50)
    assert result["bias"] == 10
    assert (result["lower"], result["upper"]) == pytest.approx(
        (10 - 1.96 * deviation, 10 + 1.96 * deviation), abs=1e-2
    )
    t = 3.182446  # of three degrees of freedom
    assert result["bias_ci95"] == pytest.approx([10 - t * deviation / 2, 10 + t * deviation / 2], rel=1e-4)
    error = deviation * math.sqrt(1 / 4 + 1.959964**2 / 6)
    assert result["lower_ci95"] == pytest.approx(
        [result["lower"] - t * error, result["lower"] + t * error], rel=1e-4
    )
    assert "10 mm² too large" in result["plain"]


@pytest.mark.parametrize("count", [0, 1])
def test_one_patient_has_no_limits_of_agreement(count):
    result = bland_altman(PREDICTED[:count], TRUE[:count], "mm2")
    assert (result["lower"], result["upper"], result["bias_ci95"]) == (None, None, None)
    assert "it takes two" in result["plain"]
    json.dumps(result, allow_nan=False)


DICE = {"a": 0.9, "b": 0.8, "c": 0.85, "d": 0.5, "e": 0.6, "f": 0.55, "g": 0.7, "h": 0.3}
SITE = {"a": "CS", "b": "CS", "c": "CS", "d": "DU", "e": "DU", "f": "DU", "g": "HT"}


def test_the_analysis_of_variance_is_worked_out_by_hand():
    """Means 0.85 and 0.55 of three each: between 0.135, within 0.01 over 4 degrees of freedom, so F = 54."""
    (result,) = anova(DICE, {"institution": SITE})
    assert result["f"] == pytest.approx(54, rel=1e-5)
    assert result["p"] == pytest.approx(stats.f.sf(54, 1, 4), rel=1e-4)
    assert result["groups"] == [{"name": "CS", "n": 3, "mean": 0.85}, {"name": "DU", "n": 3, "mean": 0.55}]
    assert result["left_out"] == [{"name": "HT", "n": 1}]
    assert result["ungrouped"] == 1
    assert "that mean volume Dice is the same in all groups by institution" in result["plain"]
    assert "nor why" in result["plain"]


def test_every_grouping_is_tested_and_that_there_are_several_is_said():
    sexes = {name: "f" if name in "aceg" else "m" for name in DICE}
    results = anova(DICE, {"institution": SITE, "sex": sexes})
    assert [result["by"] for result in results] == ["institution", "sex"]
    assert all("2 groupings were tested; divide 0.05 by 2" in result["plain"] for result in results)
    assert results[1]["p"] > 0.05
    assert "no difference between the groups was shown" in results[1]["plain"]


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({}, "there are none"),
        ({"a": "CS", "b": "CS", "d": "DU"}, "there is one"),
        ({"a": "CS", "i": "CS", "j": "DU", "k": "DU"}, "all patients have the same Dice"),
    ],
)
def test_groups_without_spread_or_company_are_not_tested(groups, says):
    (result,) = anova(DICE | {"i": 0.9, "j": 0.4, "k": 0.4}, {"site": groups})
    assert (result["f"], result["p"]) == (None, None)
    assert says in result["plain"]
    json.dumps(result, allow_nan=False)


def test_two_models_are_compared_patient_by_patient():
    ours, theirs = np.array([0.9, 0.8, 0.7, 0.9, 0.6]), np.array([0.8, 0.75, 0.72, 0.8, 0.6])
    result = comparison(ours, theirs)
    assert result["mean"] == pytest.approx(0.046)
    assert (result["wins"], result["losses"], result["ties"]) == (3, 1, 1)
    assert result["t_p"] == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, rel=1e-4)
    assert result["wilcoxon_p"] == pytest.approx(stats.wilcoxon([0.1, 0.05, -0.02, 0.1]).pvalue, rel=1e-4)
    assert result["ci95"][0] < 0.046 < result["ci95"][1]


def test_a_model_compared_with_itself_wins_nothing():
    scores = np.array([0.9, 0.8, 0.7])
    result = comparison(scores, scores)
    assert (result["mean"], result["wins"], result["losses"], result["ties"]) == (0, 0, 0, 3)
    assert (result["t_p"], result["wilcoxon_p"]) == (None, None)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("count", [0, 1])
def test_one_patient_compares_nothing(count):
    result = comparison(np.full(count, 0.9), np.full(count, 0.8))
    assert result["ci95"] is None
    assert "it takes two" in result["plain"]
    json.dumps(result, allow_nan=False)


def test_what_the_comparison_shows_follows_its_interval():
    ours = np.random.default_rng(0).uniform(0.6, 0.9, 20)
    better = comparison(ours + np.linspace(0.04, 0.06, 20), ours)["plain"]
    same = comparison(ours + np.linspace(-0.05, 0.05, 20), ours)["plain"]
    assert "0.050 higher" in better
    assert "likely real" in better
    assert "does not mean that the two are equally good" in same
