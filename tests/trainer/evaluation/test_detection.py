"""Yes or no by slice and by patient, with intervals that know which slices belong together."""

import numpy as np
import pytest

from tests.fakes.evaluation import EMPTY, square
from tests.trainer.evaluation.test_measured import volume
from trainer.evaluation.detection import auc_interval, detection, wilson
from trainer.evaluation.measured import measure
from trainer.evaluation.summaries import PatientSample, Units
from trainer.metrics.basics import area_under_curve
from trainer.metrics.bootstrap import Bootstrap


def sample(*pairs):
    """Each patient: (truth, found), as texts of a letter a slice; `t` tumour, `-` none."""
    picture = {"t": square(), "-": EMPTY}
    made = [
        measure(volume([picture[c] for c in truth], [picture[c] for c in found])) for truth, found in pairs
    ]
    return PatientSample(made, Units(False))


def test_shares_are_of_the_slices_and_of_the_patients_that_they_are_about():
    found = detection(sample(("tt-", "t--"), ("---", "--t"), ("---", "---"), ("t--", "t--")))
    by_slice, by_patient = found["slice"], found["patient"]
    assert (by_slice["n"], by_slice["with_tumour"]) == (12, 3)
    assert by_slice["sensitivity"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert by_slice["specificity"]["value"] == pytest.approx(8 / 9, abs=1e-5)
    assert by_slice["accuracy"]["value"] == pytest.approx(10 / 12, abs=1e-5)
    assert by_patient["sensitivity"] == {
        "value": 1.0,
        "ci95": pytest.approx([0.342380, 1.0], abs=1e-5),
        "n": 2,
    }
    assert by_patient["specificity"]["value"] == 0.5
    assert by_patient["accuracy"]["value"] == 0.75


def test_what_there_is_none_of_has_no_share():
    only_tumour = detection(sample(("tt", "tt"), ("t", "-")))["slice"]
    assert only_tumour["specificity"] == {"value": None, "ci95": None, "n": 0}
    assert only_tumour["auc"]["value"] is None
    assert only_tumour["sensitivity"]["value"] == pytest.approx(2 / 3, abs=1e-5)


def test_nobody_is_nothing():
    found = detection(PatientSample([], Units(False)))
    assert found["slice"]["n"] == 0
    assert found["patient"]["auc"]["value"] is None


@pytest.mark.parametrize(
    ("right", "n", "expected"),
    [(8, 10, (0.4902, 0.9433)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))],  # Newcombe 1998, rounded
)
def test_wilson_s_interval_is_that_of_the_tables(right, n, expected):
    assert wilson(right, n) == pytest.approx(expected, abs=1e-4)


def test_the_interval_of_the_auc_is_that_of_drawn_patients():
    generator = np.random.default_rng(5)
    patients = np.repeat(np.arange(8), 6)
    true = generator.random(48) < 0.4
    scores = np.round(np.clip(0.3 * true + generator.random(48), 0, 1), 1)
    drawn = []
    for _ in range(3000):
        rows = np.concatenate([np.flatnonzero(patients == p) for p in generator.integers(8, size=8)])
        drawn.append(area_under_curve(scores[rows], true[rows]))
    found = auc_interval(scores, true, patients, Bootstrap(8))
    assert found == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)
