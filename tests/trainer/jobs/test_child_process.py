"""A training process is heard, asked to end, and never left behind."""

import time

import psutil
import pytest

from tests.fakes.launch import until
from tests.fakes.trainee import COMMAND, order
from trainer.jobs.child_process import ChildProcess


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*script):
        process = ChildProcess(COMMAND, order(tmp_path, *script), tmp_path / "log.txt")
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()


def events(process, seconds=20):
    found, deadline = [], time.monotonic() + seconds
    while not found or found[-1]["event"] != "end":
        event = process.next(0.1)
        if event is not None:
            found.append(event)
        assert time.monotonic() < deadline
    return found[:-1]


def test_events_come_in_order_and_then_the_end(start):
    process = start(["send", {"event": "a"}], ["send", {"event": "b", "n": 1}])
    assert events(process) == [{"event": "a"}, {"event": "b", "n": 1}]
    assert process.wait(5) == 0


def test_what_is_no_message_is_passed_over(start):
    process = start(
        ["print", "a library says hello"], ["send", {"event": "a"}], ["print", '{"event": "cut o']
    )
    assert events(process) == [{"event": "a"}]


def test_there_is_nothing_to_hear_while_it_works(start):
    process = start(["sleep", 30])
    assert process.next(0.05) is None


def test_standard_error_is_the_log_and_goes_on_where_it_ended(start, tmp_path):
    (tmp_path / "log.txt").write_text("before\n")
    events(start(["log", "after"]))
    assert (tmp_path / "log.txt").read_text() == "before\nafter\n"


def test_it_is_asked_first(start):
    process = start(["listen"])
    process.tell("cancel")
    assert events(process) == [{"event": "heard", "command": "cancel"}]
    assert process.wait(5) == 0


@pytest.mark.parametrize(("script", "status"), [([], -15), ([["deaf"]], -9)])
def test_then_it_is_ended(start, script, status):
    process = start(*script, ["send", {"event": "ready"}], ["sleep", 60])
    until(lambda: process.next(0.1), what="its start")
    begun = time.monotonic()
    while process.next(0.05) is None:
        process.tell("cancel", grace_s=0.3)
    assert process.wait(1) == status
    assert time.monotonic() - begun < 4


def test_what_it_started_ends_with_it(start):
    process = start(["child"], ["sleep", 60])
    grandchild = until(lambda: process.next(0.1), what="the grandchild")["pid"]
    assert psutil.pid_exists(grandchild)
    assert process.kill() == -9
    until(lambda: not _lives(grandchild), 5, "the end of the grandchild")


def test_the_exit_status_is_told(start):
    process = start(["exit", 3])
    events(process)
    assert process.wait(5) == 3


def test_telling_one_that_is_gone_does_no_harm(start):
    process = start()
    events(process)
    process.wait(5)
    process.tell("cancel")


def _lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_one_that_says_more_than_is_heard_waits_and_can_be_killed(start):
    process = start(*[["send", {"event": "a", "n": n}] for n in range(4000)])
    assert process.next(5)["n"] == 0
    time.sleep(1)
    assert process.kill() == -9
