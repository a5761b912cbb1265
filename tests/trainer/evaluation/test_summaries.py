"""What an empty truth or prediction means, by slice, by patient and pooled; and what is counted."""

import pytest

from tests.fakes.evaluation import EMPTY, square
from tests.trainer.evaluation.test_measured import volume
from trainer.evaluation.measured import measure
from trainer.evaluation.summaries import PatientSample, Units, class_dice, counted, summarise

HALF = square(width=2)


def sample(*volumes, **options):
    return PatientSample(
        [measure(volume(truth, found, **options)) for truth, found in volumes], Units(bool(options))
    )


def test_slices_without_tumour_do_not_flatter_the_dice_by_slice():
    """One slice found by half (Dice 2/3), one false alarm (0), one miss (0), two rightly empty (left out)."""
    found = sample(([square(), EMPTY, square(), EMPTY, EMPTY], [HALF, HALF, EMPTY, EMPTY, EMPTY]))
    result = summarise(found)["dice"]["slice"]
    assert result["mean"] == pytest.approx(2 / 3 / 3, rel=1e-5)
    assert (result["median"], result["n"], result["excluded"]) == (0, 3, 2)


def test_a_volume_rightly_left_empty_is_1_and_a_false_alarm_or_a_miss_is_0():
    result = summarise(
        sample(([EMPTY], [EMPTY]), ([EMPTY], [square()]), ([square()], [EMPTY]), ([square()], [square()]))
    )
    for name in ("dice", "iou"):
        assert result[name]["patient"]["mean"] == 0.5
        assert (result[name]["patient"]["n"], result[name]["patient"]["excluded"]) == (4, 0)


def test_what_is_not_defined_is_left_out_and_counted():
    result = summarise(
        sample(([EMPTY], [EMPTY]), ([EMPTY], [square()]), ([square()], [EMPTY]), ([square()], [HALF]))
    )
    left = {name: (result[name]["patient"]["n"], result[name]["patient"]["excluded"]) for name in result}
    assert left["precision"] == left["recall"] == (2, 2)
    assert left["hd95"] == (1, 3)
    assert left["specificity"] == left["area_error"] == (4, 0)
    assert result["recall"]["patient"]["mean"] == pytest.approx(0.25)


def test_pooled_pixels_are_one_mask():
    result = summarise(sample(([square()], [square()]), ([square(height=1)], [EMPTY])))
    assert result["dice"]["pooled"]["mean"] == pytest.approx(2 * 16 / (16 + 20), rel=1e-5)
    assert result["dice"]["patient"]["mean"] == 0.5
    assert result["dice"]["pooled"]["median"] is None
    assert result["hd95"]["pooled"] == {"mean": None, "median": None, "ci95": None, "n": 0, "excluded": 2}
    assert result["area_error"]["pooled"]["mean"] == -4


def test_areas_and_distances_are_in_millimetres_where_all_spacings_are_known():
    truth, found = [square(), square()], [square(width=3), square()]
    known = measure(volume(truth, found, spacing=(5.0, 0.5, 2.0)))
    unknown = measure(volume(truth, found))
    in_mm = summarise(PatientSample([known], Units.of([known])))
    assert (in_mm["area_error"]["unit"], in_mm["hd95"]["unit"]) == ("mm2", "mm")
    assert in_mm["area_error"]["patient"]["mean"] == -4 * 0.5 * 2.0
    assert in_mm["hd95"]["slice"]["mean"] == pytest.approx(2.0 / 2)  # one column too few of 2 mm, then none
    mixed = summarise(PatientSample([known, unknown], Units.of([known, unknown])))
    assert (mixed["area_error"]["unit"], mixed["hd95"]["unit"]) == ("pixels", "pixels")
    assert mixed["area_error"]["patient"]["mean"] == -4


def test_the_interval_of_slices_is_by_patient():
    """All slices of a patient are alike: with more of them the interval stays as wide."""
    few = sample(*[([square()], [square(width=w)]) for w in (1, 2, 3, 4)])
    many = sample(*[([square()] * 9, [square(width=w)] * 9) for w in (1, 2, 3, 4)])
    one, other = (summarise(s)["dice"]["slice"] for s in (few, many))
    assert other["ci95"] == one["ci95"]
    assert one["ci95"][0] < one["mean"] < one["ci95"][1]
    assert (one["n"], other["n"]) == (4, 36)


def test_pooled_intervals_draw_patients_too():
    found = sample(*[([square()], [square(width=w)]) for w in (1, 2, 3, 4)])
    result = summarise(found)["dice"]["pooled"]
    assert result["ci95"][0] < result["mean"] < result["ci95"][1]


def test_every_kind_of_slice_and_patient_is_counted():
    found = sample(
        ([square(), EMPTY, EMPTY], [EMPTY, HALF, EMPTY]),
        ([EMPTY], [EMPTY]),
        ([EMPTY], [HALF]),
        ([square()], [EMPTY]),
    )
    assert counted(found) == {
        "patients": 4,
        "slices": 6,
        "slices_with_tumour": 2,
        "both_empty_slices": 2,
        "slices_only_predicted": 2,
        "slices_missed": 2,
        "patients_with_tumour": 2,
        "both_empty_patients": 1,
        "patients_only_predicted": 1,
        "patients_missed": 1,
        "volumes_of_several_sizes": 0,
        "volumes_with_gaps": 0,
    }


def test_classes_have_their_own_dice():
    pairs = [(1, 1), (2, 2)]
    measured = [
        measure(volume([square(label=1)], [square(label=1, width=2)]), pairs),
        measure(volume([square(label=2)], [square(label=1)]), pairs),
    ]
    first, second = class_dice(PatientSample(measured, Units(False)), ("core", "oedema"))
    assert (first["label"], first["name"]) == (1, "core")
    assert first["dice"]["patient"]["mean"] == pytest.approx((2 / 3 + 0) / 2, rel=1e-5)
    assert (
        second["dice"]["patient"]["mean"] == 0.5
    )  # neither there nor predicted in the first, missed in the second
    assert (first["dice"]["patient"]["both_empty"], second["dice"]["patient"]["both_empty"]) == (0, 1)


def test_nobody_has_no_numbers():
    result = summarise(PatientSample([], Units(False)))
    nothing = {"mean": None, "median": None, "ci95": None, "n": 0, "excluded": 0}
    assert all(
        values[level] == nothing for values in result.values() for level in ("slice", "patient", "pooled")
    )


def test_one_patient_has_numbers_and_no_interval():
    result = summarise(sample(([square()], [HALF])))["dice"]
    assert result["patient"]["mean"] == pytest.approx(2 / 3, rel=1e-5)
    assert [result[level]["ci95"] for level in ("slice", "patient", "pooled")] == [None, None, None]
