"""A child process talks with its worker: events one way, commands the other."""

import io
import json
import os

import pytest

from tests.fakes.launch import until
from trainer.jobs.child_side import Commands, Ended, EventPipe


class Silent:
    cancel = stop = False


@pytest.fixture
def out():
    return io.StringIO()


def said(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_progress_is_told_once_a_second_at_most(out):
    now = [100.0]
    pipe = EventPipe(out, Silent(), clock=lambda: now[0])
    for share in (0.0, 0.1, 0.2):
        pipe.progress(share)
    now[0] += 1
    pipe.progress(0.33333)
    assert [event["share"] for event in said(out)] == [0.0, 0.3333]


@pytest.mark.parametrize("command", ["cancel", "stop"])
def test_who_is_asked_to_end_breaks_off_at_the_next_progress(out, command):
    commands = Silent()
    setattr(commands, command, True)
    with pytest.raises(Ended):
        EventPipe(out, commands).progress(0.5)
    assert said(out) == []


def test_nan_is_not_sent(out):
    with pytest.raises(ValueError, match="not JSON compliant"):
        EventPipe(out, Silent()).send("finished", result={"dice": float("nan")})
    assert out.getvalue() == ""


def test_commands_are_heard_until_the_worker_is_gone():
    source, sink = os.pipe()
    ended = []
    with os.fdopen(source, "rb", buffering=0) as reader, os.fdopen(sink, "wb", buffering=0) as writer:
        commands = Commands(reader, lambda: ended.append(True))
        commands.listen()
        assert not commands.stop and not commands.cancel
        writer.write(b"stop\n")
        until(lambda: commands.stop, 5)
        assert not commands.cancel and not ended
        writer.write(b"cancel\n")
        until(lambda: commands.cancel, 5)
        writer.close()
        until(lambda: ended, 5)
