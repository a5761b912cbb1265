"""True proportions."""

import pytest

from shared.pictures.proportions import pixel_ratio, true_size


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        (None, (100, 60)),
        ([0.5, 0.5], (100, 60)),
        ([2.0, 0.5], (400, 60)),
        ([0.5, 2.0], (100, 240)),
        ([0.46875, 0.4688], (100, 60)),  # rounded somewhere on the way
        ([500.0, 0.5], (1000, 60)),
        ([0.5, 500.0], (100, 600)),
        ([0.0, 0.5], (100, 60)),
    ],
)
def test_the_finer_spacing_keeps_its_pixels_and_the_other_is_stretched(
    spacing: list[float] | None, expected: tuple[int, int]
) -> None:
    assert true_size(100, 60, spacing) == expected


def test_the_ratio_is_that_of_height_to_width() -> None:
    assert pixel_ratio((3.0, 0.5)) == 6
