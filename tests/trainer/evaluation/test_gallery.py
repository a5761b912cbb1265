"""The gallery shows the best, the median and the worst, in colours that say what was found and what was missed."""

import cv2
import numpy as np
import pytest

from shared.datasets.pseudonym import pseudonym
from tests.fakes.evaluation import EMPTY, Study, square
from tests.trainer.evaluation.test_measured import volume
from trainer.evaluation.gallery import BOTH, MISSED, TOO_MUCH, gallery
from trainer.evaluation.measured import measure


def shown(scores, *, seen=(), truth=None, found=None, **study):
    """The gallery of patients with these scores."""
    truths = {name: [square() if truth is None else truth] for name in scores}
    made = []
    for name in scores:
        one = measure(volume(truths[name], [square(left=4) if found is None else found]))
        place = one.place
        item = next(i for i in Study(truths).slices() if i.patient == name)
        made.append(
            type(one)(**{**vars(one), "patient": name, "place": type(place)(**{**vars(place), "item": item})})
        )
    rows = [{"patient": pseudonym(n), "dice": s, "seen": n in seen} for n, s in scores.items()]
    return gallery(Study(truths, **study), made, {"per_patient": rows})


def pixels(tile):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(tile.png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_best_median_and_worst_of_the_headline():
    found = shown({"A": 0.2, "B": 0.9, "C": 0.5, "D": 0.7, "E": 0.1}, seen=("E",))
    assert [(one.title, one.patient) for one in found] == [
        ("Best", pseudonym("B")), ("Median", pseudonym("C")), ("Worst", pseudonym("A"))
    ]  # fmt: skip
    assert [tile.title for tile in found[0].tiles] == ["Image", "Truth", "Prediction", "Difference"]


def test_patients_that_were_learned_from_are_shown_where_there_are_no_others():
    assert len(shown({"A": 0.2, "B": 0.9, "C": 0.4}, seen=("A", "B", "C"))) == 3


def test_empty_volumes_are_not_the_best_to_look_at():
    (only,) = shown({"A": 1.0}, truth=EMPTY, found=EMPTY)
    assert only.title == "Only"


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_difference_has_each_pixel_in_its_colour(channels):
    """Columns 2 to 5 are true, 4 to 7 predicted, so 4 and 5 are both; borders are painted in full."""
    (one,) = shown({"A": 0.5}, channels=channels)
    image, truth, prediction, difference = map(pixels, one.tiles)
    assert image.shape == (12, 12, 3)
    row = difference[2]
    assert [tuple(row[column]) for column in (2, 4, 7)] == [MISSED, BOTH, TOO_MUCH]
    assert (row[9] == image[2, 9]).all()
    assert tuple(truth[2, 2]) == BOTH
    assert tuple(prediction[2, 7]) == TOO_MUCH
    assert "8 pixels of tumour in both, 8 missed, 8 too much" in one.tiles[3].text


def test_of_several_sequences_the_one_that_tumours_are_outlined_on():
    (one,) = shown({"A": 0.5}, channels=4, modalities=("t1", "t1ce", "t2", "flair"))
    assert one.tiles[0].text.startswith("FLAIR of p-")


def test_large_pictures_are_made_small():
    large = square(side=800, height=300, width=300)
    (one,) = shown({"A": 0.5}, truth=large, found=large)
    assert pixels(one.tiles[3]).shape == (320, 320, 3)
