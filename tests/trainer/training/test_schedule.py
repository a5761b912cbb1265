"""Learning rates over a run: pure functions of progress and of the validation losses so far."""

import pytest

from shared import catalog
from trainer.training.schedule import constant, cosine, one_cycle, plateau


@pytest.mark.parametrize("name", catalog.SCHEDULES)
def test_every_schedule_of_the_table_stays_between_nothing_and_the_full_rate(name):
    schedule = catalog.load(catalog.SCHEDULES, name, "schedule")
    rates = [schedule(step / 50, [1.0] * (step // 5)) for step in range(50)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) > 0.99


def test_the_shapes():
    assert constant(0.9) == 1.0
    assert cosine(0.0) == 1.0
    assert cosine(0.5) == pytest.approx(0.5, abs=1e-3)
    assert cosine(1.0) == pytest.approx(1e-3)
    assert one_cycle(0.0) == pytest.approx(0.04)
    assert one_cycle(0.15) == 1.0
    assert one_cycle(1.0) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("losses", "factor"),
    [
        ([], 1.0),
        ([3, 2, 1], 1.0),
        ([1, 2, 2], 1.0),
        ([1, 2, 2, 2], 0.5),
        ([1, 2, 2, 2, 2, 2], 0.5),
        ([1, 2, 2, 2, 2, 2, 2], 0.25),
        ([2, 3, 3, 1, 3, 3], 1.0),
    ],
)
def test_a_plateau_halves_the_rate_after_three_validations_in_vain(losses, factor):
    assert plateau(0.5, losses) == factor
