"""What everything that is accepted goes through: Idempotency-Key, files, row, message. Half of it is never left."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from service.intake.idempotency import abandon, made_before
from service.job_queue import JobQueue
from shared.contract.errors import QueueUnavailable, StorageUnavailable
from shared.contract.messages import Message
from shared.database.idempotency import Idempotency

_log = logging.getLogger(__name__)


class NewRow(Protocol):
    """What a row is made from; its id is known before."""

    @property
    def id(self) -> str: ...

    @property
    def owner(self) -> str: ...

    @property
    def request_id(self) -> str: ...


New = TypeVar("New", bound=NewRow)
NewIn = TypeVar("NewIn", bound=NewRow, contravariant=True)
View = TypeVar("View")
ViewOut = TypeVar("ViewOut", covariant=True)


class Table(Protocol[NewIn, ViewOut]):
    """What the tables of durable work have in common for those who accept it."""

    def accept(self, new: NewIn, *, idempotency_key: str | None = None) -> ViewOut:
        """Insert the row; the Idempotency-Key is completed in the same transaction."""
        ...

    def discard(self, id: str) -> bool:
        """Take a row back whose message could not be sent; False if a worker has it already."""
        ...

    def get(self, id: str, *, owner: str | None = None) -> ViewOut:
        """The row as its owner may see it; NotFound if there is none or it is another's."""
        ...


@dataclass(frozen=True)
class Accepted(Generic[View]):
    """The resource, and whether it was there before (Idempotency-Key)."""

    view: View
    replayed: bool = False


class Acceptance(Generic[New, View]):
    """Accepts rows of one table. What is accepted survives the death of any process."""

    def __init__(
        self,
        table: Table[New, View],
        message: Callable[[str, str], Message],
        *,
        idempotency: Idempotency,
        queue: JobQueue,
        forget: Callable[[str], None] = lambda id: None,
    ) -> None:
        """`message`: of the row's id and the request's. `forget`: remove what was kept for an id before its row."""
        self._table, self._message = table, message
        self._idempotency, self._queue, self._forget = idempotency, queue, forget

    def submit(
        self,
        owner: str,
        idempotency_key: str | None,
        fingerprint: str,
        make: Callable[[], New],
        keep: Callable[[New], None] = lambda new: None,
    ) -> Accepted[View]:
        """What this Idempotency-Key made before, else what `accept` makes."""
        before = self.before(owner, idempotency_key, fingerprint)
        if before is not None:
            return Accepted(before, replayed=True)
        return Accepted(self.accept(owner, idempotency_key, make, keep))

    def before(self, owner: str, idempotency_key: str | None, fingerprint: str) -> View | None:
        """What this Idempotency-Key made before, or None when there is work to do: then `accept`."""
        made = made_before(self._idempotency, owner, idempotency_key, fingerprint)
        return None if made is None else self._table.get(made, owner=owner)

    def accept(
        self,
        owner: str,
        idempotency_key: str | None,
        make: Callable[[], New],
        keep: Callable[[New], None] = lambda new: None,
    ) -> View:
        """`make` (checks), `keep` (files), row, message: in this order, so that each is there before others hear of it.

        Raises what `make` and `keep` raise, QueueUnavailable and StorageUnavailable; then nothing is left behind, and
        the Idempotency-Key is free again.
        """
        new: New | None = None
        try:
            new = make()
            keep(new)
            view = self._table.accept(new, idempotency_key=idempotency_key)
            self._announce(new)
            return view
        except Exception as error:
            self._clean(owner, idempotency_key, new)
            if isinstance(error, (OSError, SQLAlchemyError)):
                _log.exception("not_accepted")
                raise StorageUnavailable from error
            raise

    def _announce(self, new: New) -> None:
        try:
            self._queue.send(self._message(new.id, new.request_id))
        except QueueUnavailable:
            # False: a worker has it all the same (it found the row, or the message arrived and its receipt did not)
            if self._table.discard(new.id):
                raise

    def _clean(self, owner: str, idempotency_key: str | None, new: New | None) -> None:
        if new is not None:
            try:
                self._forget(new.id)
            except OSError:
                _log.exception("not_cleaned")
        abandon(self._idempotency, owner, idempotency_key, made=new.id if new else None)
