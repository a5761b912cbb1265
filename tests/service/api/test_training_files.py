"""Events, log and pictures of a training run."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.files.paths import run_log_path, run_picture_path
from tests.fakes.studies import claimed, queued_run
from tests.service.conftest import Api
from tests.service.presentation.test_run_events import parsed

RUNS = "/v1/training-runs"


@pytest.fixture
def at(api: Api) -> str:
    """Where a run is that waits."""
    return f"{RUNS}/{queued_run(api.parts.stored.runs).id}"


def id_of(at: str) -> str:
    return at.rpartition("/")[2]


def numbers(answer: Any) -> list[str]:
    return [message["id"] for message in parsed(answer.data) if "id" in message]


def test_events_are_streamed_and_no_one_on_the_way_keeps_them(api: Api, at: str) -> None:
    answer = api.client.get(at + "/events")
    assert answer.status_code == 200 and answer.content_type == "text/event-stream"
    assert "no-store" in answer.headers["Cache-Control"] and answer.headers["X-Accel-Buffering"] == "no"
    assert answer.data.startswith(b"retry: 1000\n\n")
    (event,) = parsed(answer.data)[1:]
    assert (event["id"], event["event"], event["data"]["status"]) == ("1", "status", "queued")


def test_a_client_goes_on_after_its_last_event(api: Api, at: str) -> None:
    claimed(api.parts.stored.runs)
    get = api.client.get
    assert numbers(get(at + "/events")) == ["1", "2"]
    assert numbers(get(at + "/events?after=1")) == ["2"]
    assert numbers(get(at + "/events", headers={"Last-Event-ID": "1"})) == ["2"]
    assert numbers(get(at + "/events?after=0", headers={"Last-Event-ID": "2"})) == []


@pytest.mark.parametrize("last", ["-1", "1.5", "x", "9" * 11, "4294967296", "١"])
def test_a_last_event_that_is_no_number_is_422(api: Api, at: str, last: str) -> None:
    answer = api.client.get(at + "/events", headers={"Last-Event-ID": last.encode().decode("latin-1")})
    assert answer.status_code == 422 and answer.json["errors"].keys() == {"Last-Event-ID"}
    assert api.client.get(at + "/events?after=-1&x=1").json["errors"].keys() == {"after", "x"}


def test_a_client_that_has_all_of_a_run_that_ended_is_told_not_to_come_again(api: Api, at: str) -> None:
    api.parts.stored.runs.cancel(id_of(at))
    first = api.client.get(at + "/events")
    assert first.status_code == 200 and numbers(first) == ["1", "2"]
    again = api.client.get(at + "/events", headers={"Last-Event-ID": "2"})
    assert (again.status_code, again.data) == (204, b"")


def test_there_are_places_for_a_quarter_of_the_threads(make_api: Callable[..., Api]) -> None:
    api = make_api(web_threads=8)
    at = f"{RUNS}/{queued_run(api.parts.stored.runs).id}/events"
    open_ones = [api.client.get(at, buffered=False) for _ in range(2)]
    refused = api.client.get(at)
    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")
    assert int(refused.headers["Retry-After"]) > 0
    open_ones[0].close()
    for _ in range(5):  # each gives its place back, one that only asks for the headers too
        assert api.client.head(at).status_code == api.client.get(at).status_code == 200
    open_ones[1].close()


def test_the_log_is_text_whole_or_its_last_lines(api: Api, at: str) -> None:
    assert api.client.get(at + "/log").status_code == 404
    api.parts.stored.files.write(run_log_path(id_of(at)), "epoch 1\nepoch 2\nDice 0.8 – gut\n".encode())
    answer = api.client.get(at + "/log")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text == "epoch 1\nepoch 2\nDice 0.8 – gut\n"
    assert api.client.get(at + "/log?tail=2").text == "epoch 2\nDice 0.8 – gut\n"
    assert api.client.get(at + "/log?tail=99").text == answer.text
    for tail in ("0", "-1", "x", "1e3", "100001"):
        assert api.client.get(f"{at}/log?tail={tail}").json["errors"].keys() == {"tail"}


@pytest.mark.parametrize("name", ["curves", "samples"])
def test_pictures_are_sent_once_they_are_there_and_when_they_changed(api: Api, at: str, name: str) -> None:
    link = f"{at}/{name}.png"
    assert api.client.get(link).status_code == 404
    api.parts.stored.files.write(run_picture_path(id_of(at), name), b"first")
    answer = api.client.get(link)
    assert (answer.status_code, answer.content_type, answer.data) == (200, "image/png", b"first")
    kept = {"If-None-Match": answer.headers["ETag"]}
    assert api.client.get(link, headers=kept).status_code == 304
    api.parts.stored.files.write(run_picture_path(id_of(at), name), b"second")
    assert api.client.get(link, headers=kept).data == b"second"
