"""A child process does its order, says how it ended, and is gone with its worker."""

import json
import subprocess
import sys

import pytest

from trainer.jobs.child_order import ChildOrder

MAIN = """
import sys, time
from shared.contract.errors import VolumeFailed
from trainer.jobs.child_main import child_main
from trainer.jobs.child_order import ChildOrder
from trainer.jobs.child_side import leave

def work(order, pipe):
    print("a library says hello")
    {work}

def explain(error, order):
    return VolumeFailed("for a person") if isinstance(error, ValueError) else None

leave(child_main(ChildOrder, work, explain))
"""


@pytest.fixture
def start():
    started = []

    def child(work):
        command = [sys.executable, "-c", MAIN.format(work=work)]
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, process_group=0)
        )
        started[-1].stdin.write(ChildOrder(nice=0).to_line())
        started[-1].stdin.flush()
        return started[-1]

    yield child
    for one in started:
        one.kill()
        with one:  # closes its pipes
            pass


def test_it_says_what_it_made_and_what_libraries_print_is_no_message(start):
    child = start('pipe.send("finished", result=1)')
    assert json.loads(child.stdout.readline()) == {"event": "finished", "result": 1}
    assert child.wait(10) == 0 and child.stdout.read() == ""


def test_it_says_why_it_failed_and_where_and_no_more(start):
    child = start('raise ValueError("Smith.png")')
    said = json.loads(child.stdout.readline())
    assert (said["event"], said["code"], said["message"]) == ("failed", "volume_failed", "for a person")
    assert child.wait(10) == 0
    log = child.stderr.read()
    assert "ValueError" in log and said["at"] in log and "Smith" not in log


def test_what_is_worth_another_try_is_an_exit_status(start):
    child = start("raise KeyError(1)")
    assert child.wait(10) == 1 and child.stdout.read() == ""


def test_it_ends_as_asked(start):
    child = start("\n    while True:\n        pipe.progress(0.5)\n        time.sleep(0.01)")
    assert json.loads(child.stdout.readline()) == {"event": "progress", "share": 0.5}
    child.stdin.write("stop\n")
    child.stdin.flush()
    assert child.wait(10) == 0


def test_it_is_gone_with_its_worker(start):
    child = start('pipe.send("begun"); time.sleep(60)')
    child.stdout.readline()
    child.stdin.close()
    assert child.wait(10) == -9
