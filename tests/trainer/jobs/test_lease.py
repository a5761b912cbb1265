"""A lease is kept until it is lost, and says what has become of the row."""

from types import SimpleNamespace

import pytest

from shared.contract.names import EvaluationStatus, RunStatus
from tests.fakes.launch import until
from trainer.jobs.lease import Lease


class Rows:
    """What the table answers, one answer a renewal; the last for ever."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def renew(self, claim, lease_s):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def lease(rows):
    return Lease(rows, SimpleNamespace(id="a"), 10, every_s=0.01)


@pytest.mark.parametrize("answer", [True, RunStatus.RUNNING, EvaluationStatus.RUNNING])
def test_it_is_kept(answer):
    rows = Rows(answer)
    with lease(rows) as kept:
        until(lambda: rows.asked > 3, 5)
        assert not kept.lost and not kept.cancelling


@pytest.mark.parametrize("answer", [False, None])
def test_it_is_lost_for_good(answer):
    rows = Rows(answer, True)
    with lease(rows) as kept:
        until(lambda: kept.lost, 5)
    assert rows.asked == 1


def test_it_hears_that_the_work_is_to_be_cancelled():
    with lease(Rows(RunStatus.RUNNING, RunStatus.CANCELLING)) as kept:
        until(lambda: kept.cancelling, 5)
        assert not kept.lost


def test_a_database_that_is_away_costs_nothing():
    rows = Rows(OSError("away"), OSError("away"), True)
    with lease(rows) as kept:
        until(lambda: rows.asked > 3, 5)
        assert not kept.lost
