"""Slow work is called off as soon as nobody wants it; writes wait for the database."""

import threading

import pytest
from sqlalchemy.exc import OperationalError

from trainer.jobs import patience
from trainer.jobs.patience import NotWanted, meanwhile, patiently


def test_work_gives_its_result():
    assert meanwhile(lambda check: check(1, 2) or "done", lambda: True) == "done"


def test_work_that_raises_raises_here():
    with pytest.raises(ZeroDivisionError):
        meanwhile(lambda check: 1 / 0, lambda: True)


def test_work_that_looks_is_broken_off():
    wanted, ended = threading.Event(), threading.Event()
    wanted.set()

    def work(check):
        wanted.clear()
        try:
            while True:
                check(0, 1)
        finally:
            ended.set()

    with pytest.raises(NotWanted):
        meanwhile(work, wanted.is_set)
    assert ended.wait(5)


def test_work_that_waits_for_something_is_left_to_itself():
    never = threading.Event()
    with pytest.raises(NotWanted):
        meanwhile(lambda check: never.wait(30), lambda: False)
    never.set()


def test_a_write_is_tried_until_the_database_is_back(monkeypatch):
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)
    answers = iter([OperationalError("", None, Exception()), OperationalError("", None, Exception()), True])

    def write():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(write) is True


def test_a_write_is_given_up_in_the_end():
    def write():
        raise OperationalError("", None, Exception())

    with pytest.raises(OperationalError):
        patiently(write, patience_s=-1.0)
