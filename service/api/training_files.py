"""What a training run says and draws: events as they happen, its log, its pictures."""

import re

from flask import Response, render_template, request
from flask_smorest import Blueprint

from service.api.html_reports import HTML, html_report
from service.api.operation import answer, operation, picture
from service.api.training_runs import find_run
from service.container import services
from service.presentation.run_events import PROGRESS
from service.schemas.training import MAX_EVENT, EventsQuery, LogQuery
from service.web.log_tail import pieces, seek_tail
from service.web.parameters import query
from shared.contract.errors import InvalidFields, NotFound
from shared.contract.names import EventKind
from shared.files.paths import run_log_path, run_picture_path

blueprint = Blueprint("training files", __name__, description="What training runs say and draw.")

SSE = "text/event-stream"
_LAST = "Last-Event-ID"
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "Its number, from 1; `progress` has none."},
        "event": {"type": "string", "enum": [*EventKind, PROGRESS]},
        "data": {
            "type": "string",
            "description": "A JSON object: the new status, the epoch, or the progress.",
        },
    },
}
_LAST_HEADER = {
    "in": "header",
    "name": _LAST,
    "required": False,
    "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
    "description": "Number of the last event you have; browsers send it by themselves. Wins over `after`.",
}


@blueprint.get("/v1/training-runs/<run_id>/events")
@operation(
    {
        200: answer(_EVENT, "Server-sent events; this is the shape of each.", content=SSE),
        204: {"description": "The run has ended and you have all of its events: do not come again."},
    },
    problems=(401, 403, 404, 422, 503),
    query=EventsQuery,
    headers=(_LAST_HEADER,),
)
def run_events(run_id: str) -> Response:
    """Follow a training run by server-sent events

    `status` and `epoch` are numbered and kept: a client that comes again with `Last-Event-ID` misses none. `progress`
    has no number and only says how far it is now. The stream ends after a while (come again) and with the run.
    """
    run = find_run(run_id)
    after = _after()
    streams = services().presentation.run_events
    if streams.nothing_left(run, after):
        return Response(status=204)
    leave = streams.enter()
    reply = Response(streams.stream(run.id, after), content_type=SSE)
    reply.call_on_close(leave)
    reply.headers["X-Accel-Buffering"] = "no"  # nginx would collect events until its buffer is full
    return reply


@blueprint.get("/v1/training-runs/<run_id>/log")
@operation(
    {200: answer({"type": "string"}, "What its processes wrote.", content="text/plain")},
    problems=(401, 403, 404, 422),
    query=LogQuery,
)
def run_log(run_id: str) -> Response:
    """The log of a training run as text

    404 before there is one.
    """
    run, tail = find_run(run_id), query(LogQuery)["tail"]
    try:
        file = services().stored.files.open(run_log_path(run.id))
    except FileNotFoundError:
        raise NotFound("This run has no log yet.") from None
    reply = Response(pieces(file), content_type="text/plain; charset=utf-8")
    reply.call_on_close(file.close)
    if tail is not None:
        seek_tail(file, tail)
    return reply


@blueprint.get("/v1/training-runs/<run_id>/curves.png")
@operation({200: picture("Loss and Dice by epoch.")}, problems=(401, 403, 404))
def run_curves(run_id: str) -> Response:
    """The curves of a training run as PNG

    404 before its first epoch is done.
    """
    return _picture(run_id, "curves")


@blueprint.get("/v1/training-runs/<run_id>/samples.png")
@operation({200: picture("Slices of the validation patients.")}, problems=(401, 403, 404))
def run_samples(run_id: str) -> Response:
    """Slices with the masks of experts and of the network as PNG

    404 before its first validation is done.
    """
    return _picture(run_id, "samples")


@blueprint.get("/v1/training-runs/<run_id>/report.html")
@operation(
    {200: answer({"type": "string"}, "One HTML file that needs nothing else.", content=HTML)},
    problems=(401, 403, 404),
)
def run_report(run_id: str) -> Response:
    """The report of a training run as a page

    What was asked for, how it went, and how good the model is, in one file that can be kept. At any time: while the
    run goes on it shows what there is.
    """
    run = find_run(run_id)
    values = services().presentation.run_reports.values(run, root=request.script_root)
    return html_report(render_template("run_report.html", **values), f"training-run-{run.id}")


def _after() -> int:
    """What the client has already; raises InvalidFields."""
    after: int = query(EventsQuery)["after"]
    last = request.headers.get(_LAST, "")
    if not last:
        return after
    if not _NUMBER.fullmatch(last) or int(last) > MAX_EVENT:
        raise InvalidFields(errors={_LAST: ["Must be the number of an event."]})
    return int(last)


def _picture(run_id: str, name: str) -> Response:
    """It changes while the run goes on: 304 for a client that has this one."""
    run = find_run(run_id)
    try:
        data = services().stored.files.read(run_picture_path(run.id, name))
    except FileNotFoundError:
        raise NotFound("This run has no such picture yet.") from None
    reply = Response(data, content_type="image/png")
    reply.headers["Content-Disposition"] = f'inline; filename="{name}.png"'
    reply.add_etag()
    reply.make_conditional(request)
    return reply
