"""Numbers of a small study: what cannot be measured is None, never NaN, which no card may hold."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes.evaluation import model_folder
from trainer.training import assess
from trainer.training.assess import Finding, Look, calibration_metrics, slice_metrics, volume_metrics


def finding(truth, mask, patient="p", probability=200):
    half = np.zeros((4, 4), bool)
    half[:2] = True
    look = Look(np.full((4, 4), probability, np.uint8), half & mask, np.zeros(2), half.astype(np.uint8))
    return replace(Finding.of(patient, half & truth, look, 0.5), confidence=0.8)


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


def test_the_engine_and_the_folder_of_converted_models_are_those_asked_for(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(assess, "open_engine", lambda source, *given: opened.append((source.folder, *given)))
    folder = model_folder(tmp_path)
    assess.served(folder, "cpu")
    assess.served(folder, "cuda:1", (), "torch", tmp_path / "cache")
    assert opened == [(folder, "cpu", "auto", None), (folder, "cuda:1", "torch", tmp_path / "cache")]
