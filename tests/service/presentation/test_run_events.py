"""Server-sent events of a run, with a clock of the test's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from service.presentation.run_events import BEAT_S, RunEvents
from shared.contract.errors import TooManyStreams
from shared.database.database import Database, create_all
from shared.jobs.training_runs import RunView, TrainingRuns
from tests.fakes.studies import claimed, queued_run

Message = dict[str, Any]


def parsed(stream: bytes) -> list[Message]:
    """The messages as a browser reads them; comments as {"comment": …}."""
    messages = []
    for block in stream.decode().split("\n\n")[:-1]:
        message: Message = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            message[name or "comment"] = json.loads(value) if name == "data" else value.strip()
        messages.append(message)
    return messages


class Clock:
    """Time passes only in pauses; then what the test says happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: list[Callable[[], object]] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[TrainingRuns]:
    database = Database(f"sqlite:///{tmp_path / 'rows.sqlite3'}")
    create_all(database)
    yield TrainingRuns(database)
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def streams(runs: TrainingRuns, clock: Clock) -> RunEvents:
    return RunEvents(runs, most=2, seconds=25, pause=clock.pause, clock=clock)


@pytest.fixture
def run(runs: TrainingRuns) -> RunView:
    return queued_run(runs)


def follow(streams: RunEvents, run: RunView, after: int = 0) -> list[Message]:
    return parsed(b"".join(streams.stream(run.id, after)))


def test_what_happens_is_told_in_order_until_the_run_ends(
    runs: TrainingRuns, streams: RunEvents, clock: Clock, run: RunView
) -> None:
    def begin() -> None:
        clock.claim = claimed(runs)
        runs.progress(clock.claim, {"stage": "training", "epoch": 1})

    clock.meanwhile = [
        begin,
        lambda: runs.epoch(clock.claim, {"epoch": 1, "train_loss": 0.5}),
        lambda: runs.progress(clock.claim, {"stage": "training", "epoch": 2}),
        lambda: runs.fail(clock.claim, "training_failed", "It broke."),
    ]
    first, *messages = follow(streams, run)
    assert first == {"retry": "1000"}
    assert [(message["event"], message.get("id")) for message in messages] == [
        ("status", "1"),
        ("status", "2"),
        ("progress", None),
        ("epoch", "3"),
        ("progress", None),
        ("status", "4"),
    ]
    assert [message["data"].get("status") for message in messages if message["event"] == "status"] == [
        *("queued", "running", "failed")
    ]
    assert messages[3]["data"]["train_loss"] == 0.5 and messages[3]["data"]["at"].endswith("Z")
    assert clock.now == 4.0


def test_a_client_that_comes_again_gets_only_what_it_has_not(
    runs: TrainingRuns, streams: RunEvents, run: RunView
) -> None:
    runs.cancel(run.id)
    assert [message.get("id") for message in follow(streams, run, after=1)] == [None, "2"]


def test_more_events_than_a_page_come_without_a_pause(
    monkeypatch: pytest.MonkeyPatch, runs: TrainingRuns, streams: RunEvents, clock: Clock, run: RunView
) -> None:
    monkeypatch.setattr("service.presentation.run_events.PAGE", 2)
    claim = claimed(runs)
    for number in range(1, 6):
        runs.epoch(claim, {"epoch": number})
    runs.fail(claim, "training_failed", "It broke.")
    assert [message.get("id") for message in follow(streams, run)][1:] == [str(n) for n in range(1, 9)]
    assert clock.now == 0


def test_it_ends_after_a_while_and_beats_while_nothing_happens(
    streams: RunEvents, clock: Clock, run: RunView
) -> None:
    messages = follow(streams, run, after=1)
    assert [*messages[0]] == ["retry"] and [[*message] for message in messages[1:]] == [["comment"]] * 2
    assert clock.now == 25 and BEAT_S == 10


def test_it_ends_when_the_process_is_asked_to_stop(streams: RunEvents, clock: Clock, run: RunView) -> None:
    clock.meanwhile = [lambda: None, streams.close]
    follow(streams, run)
    assert clock.now == 2


def test_places_are_counted_and_given_back(streams: RunEvents) -> None:
    leave = streams.enter()
    streams.enter()
    with pytest.raises(TooManyStreams):
        streams.enter()
    leave()
    streams.enter()


def test_nothing_is_left_once_the_run_ended_and_all_was_seen(
    runs: TrainingRuns, streams: RunEvents, run: RunView
) -> None:
    assert not streams.nothing_left(run, 1)
    runs.cancel(run.id)
    ended = runs.get(run.id)
    assert not streams.nothing_left(ended, 1)
    assert streams.nothing_left(ended, 2)


def test_a_database_that_goes_away_ends_the_stream_quietly(
    runs: TrainingRuns, streams: RunEvents, clock: Clock, run: RunView
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("select", {}, Exception())

    clock.meanwhile = [lambda: setattr(runs, "get", gone)]
    assert [message.get("id") for message in follow(streams, run)] == [None, "1"]
