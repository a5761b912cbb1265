"""Numbers of a small study: what cannot be measured is None, never NaN, which no card may hold."""

import json

import numpy as np
import pytest

from trainer.training.assess import Finding, calibration_metrics, slice_metrics, volume_metrics


def finding(truth, mask, patient="p", probability=200):
    plane = np.zeros((4, 4), bool)
    plane[:2] = True
    return Finding(
        patient, plane & truth, plane & mask, np.full((4, 4), probability, np.uint8), 0.8, np.zeros(2)
    )


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("mask", [True, False])
def test_one_kind_of_slice_is_enough(truth, mask):
    found = [finding(truth, mask), finding(truth, mask, "q")]
    measured = [slice_metrics(found), calibration_metrics(found), volume_metrics(found)]
    json.dumps(measured, allow_nan=False)
    assert slice_metrics(found)["sensitivity"] == ((1.0 if mask else 0.0) if truth else None)
    assert slice_metrics(found)["specificity"] == (None if truth else (0.0 if mask else 1.0))
    assert slice_metrics(found)["auc"] is None


def test_the_numbers_are_those_of_the_slices():
    found = [finding(True, True), finding(True, False), finding(False, False, probability=10)]
    measured = slice_metrics(found)
    assert (measured["sensitivity"], measured["specificity"], measured["auc"]) == (0.5, 1.0, 1.0)
    assert calibration_metrics(found)["found"] == {
        "slices": 1, "mean_confidence": 0.8, "share_of_mask_that_is_tumour": 1.0,
        "expected_calibration_error": 0.2,
    }  # fmt: skip
