"""The life of a child process: the order in, the work with its events, and why it broke off.

Standard input: the order (a line of JSON), then `cancel`, `stop` or `go on`; its end means that the worker is gone, and
this process with it. Standard output: one JSON object a line. Standard error: the log. It knows no database.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from shared.contract.errors import ServiceError
from trainer.jobs.child_order import ChildOrder
from trainer.jobs.child_side import (
    PROGRESS_S,
    Commands,
    Ended,
    EventPipe,
    die,
    give_way,
    log_to_standard_error,
    own_pipes,
    place,
)

AnyOrder = TypeVar("AnyOrder", bound=ChildOrder)
_log = logging.getLogger(__name__)


def child_main(
    order_type: type[AnyOrder],
    work: Callable[[AnyOrder, EventPipe], None],
    explain: Callable[[Exception, AnyOrder], ServiceError | None],
    *,
    limit: Callable[[AnyOrder], None] = lambda order: None,
    progress_s: float = PROGRESS_S,
) -> int:
    """Exit status 0: said how it ended; anything else: it broke off, and may be tried again.

    `limit` bounds this process before it works; `explain` is None where another attempt may go well.
    """
    commands_in, out = own_pipes()
    log_to_standard_error()
    order = order_type.from_line(commands_in.readline().decode())
    give_way(order.nice)
    limit(order)
    commands = Commands(commands_in, die)
    commands.listen()
    pipe = EventPipe(out, commands, progress_s=progress_s)
    try:
        work(order, pipe)
    except Ended:
        _log.info("stopped as asked")
    except Exception as error:
        failure = explain(error, order)
        # Only where it broke: messages may name a dataset's files, which are patients'.
        _log.error("broke off: %s at %s", type(error).__name__, place(error))
        if failure is None:
            return 1
        pipe.send("failed", code=failure.code, message=failure.detail, at=place(error))
    return 0
