"""The statements on the table of segmentations, built once: SQLAlchemy then only looks up their SQL.

Statements that lock several rows do so in the order of their ids, so that no two can wait for each other.
"""

from typing import Any, cast

from sqlalchemy import (
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from shared.contract.errors import AttemptsExhausted
from shared.contract.names import SegmentationKind
from shared.contract.names import SegmentationStatus as Status
from shared.database.tables import Segmentation, UtcDateTime
from shared.jobs.segmentation_views import Claim, SegmentationView

TABLE = cast(Table, Segmentation.__table__)
C = TABLE.c

VIEW_COLUMNS = [C[n] for n in SegmentationView.__dataclass_fields__ if n != "error"] + [
    C.error_code,
    C.error_message,
]

_now = bindparam("now", type_=UtcDateTime())
_ids = C.id.in_(bindparam("ids", expanding=True))
_id = bindparam("job_id", type_=String())
_unsent_since = bindparam("unsent_since", type_=UtcDateTime())
_lost = and_(C.status == Status.RUNNING, C.lease_until < _now)
_open = C.status.in_([Status.QUEUED, Status.RUNNING])
_tries_left = C.attempts < bindparam("max_attempts")


def _locked(condition: ColumnElement[bool], *, skip_locked: bool = True) -> ColumnElement[bool]:
    """Rows by condition, locked in order; SQLite has one writer at a time and ignores the locking.

    The condition is not repeated outside: SQLite would walk all queued rows instead of looking up the ids.
    """
    return C.id.in_(select(C.id).where(condition).order_by(C.id).with_for_update(skip_locked=skip_locked))


ACCEPT = insert(TABLE)
DISCARD = delete(TABLE).where(_id == C.id, C.status == Status.QUEUED, C.fence == 0)
GET = select(*VIEW_COLUMNS).where(_id == C.id)
LIST = select(*VIEW_COLUMNS).where(C.gone_at.is_(None))
COUNT_BY_STATUS = select(C.status, func.count()).where(C.gone_at.is_(None)).group_by(C.status)
COUNT_QUEUED = select(func.count()).select_from(TABLE).where(C.status == Status.QUEUED)
COUNT_QUEUED_VOLUMES = COUNT_QUEUED.where(C.kind != SegmentationKind.PICTURE)

ENDED_VOLUMES = select(C.id).where(
    text("kind <> 'picture'"),  # as its index has it: SQLite does not look into bound values
    C.gone_at.is_(None),
    C.finished_at >= bindparam("since", type_=UtcDateTime()),
)

_claimable = and_(or_(C.status == Status.QUEUED, _lost), _tries_left)
CLAIM = (
    update(TABLE)
    .where(_locked(and_(_ids, _claimable)))
    .values(
        status=Status.RUNNING,
        fence=C.fence + 1,
        attempts=C.attempts + 1,
        lease_owner=bindparam("worker"),
        lease_until=bindparam("until"),
        started_at=func.coalesce(C.started_at, _now),
    )
    .returning(*(C[n] for n in Claim.__dataclass_fields__))
)

# Waits for a lock (finish and renew of one worker meet): a row that is skipped would look lost.
RENEW = (
    update(TABLE)
    .where(
        _locked(
            and_(_ids, C.status == Status.RUNNING, C.lease_owner == bindparam("worker")), skip_locked=False
        )
    )
    .values(lease_until=bindparam("until"))
    .returning(C.id, C.fence)
)

_ours = and_(_id == C.id, C.status == Status.RUNNING, C.fence == bindparam("claim_fence"))
_end: dict[str, Any] = {"finished_at": _now, "lease_until": None}
FINISH = (
    update(TABLE)
    .where(_ours)
    .values(
        **_end,
        status=Status.SUCCEEDED,
        progress=1.0,
        result=bindparam("result"),
        timings=bindparam("timings"),
        warnings=bindparam("warnings"),
    )
)
FINISH_WITH_IMAGE = FINISH.values(image=bindparam("known_image"))
PROGRESS = update(TABLE).where(_ours).values(progress=bindparam("done"))
FAIL = (
    update(TABLE)
    .where(_ours)
    .values(**_end, status=Status.FAILED, error_code=bindparam("code"), error_message=bindparam("message"))
)
# Given back unharmed: the attempt does not count, and no message is under way for it.
RELEASE = (
    update(TABLE)
    .where(_ours)
    .values(
        status=Status.QUEUED, attempts=C.attempts - 1, lease_owner=None, lease_until=None, enqueued_at=None
    )
)
CANCEL = update(TABLE).where(_id == C.id, _open).values(status=Status.CANCELLED, finished_at=_now)

DUE = (
    select(C.id, C.request_id, C.enqueued_at, C.kind, C.status)
    .where(
        or_(and_(C.status == Status.QUEUED), _lost),
        or_(
            C.enqueued_at.is_(None),
            C.enqueued_at < _unsent_since,
            # Nobody has sent a message since the lease ran out.
            and_(_lost, C.enqueued_at < C.lease_until),
        ),
        _tries_left,
    )
    .order_by(C.created_at)
    .limit(bindparam("max_rows"))
)
_unsent = or_(C.enqueued_at.is_(None), C.enqueued_at <= bindparam("seen", type_=UtcDateTime()))
MARK_ENQUEUED = (
    update(TABLE).where(_locked(and_(_ids, _open, _unsent))).values(enqueued_at=_now).returning(C.id)
)
_exhausted = and_(or_(C.status == Status.QUEUED, _lost), C.attempts >= bindparam("max_attempts"))
EXHAUST = (
    update(TABLE)
    .where(_locked(_exhausted))
    .values(
        **_end, status=Status.FAILED, error_code=AttemptsExhausted.code, error_message=AttemptsExhausted.title
    )
    .returning(C.id)
)

# What is gone keeps nothing of the picture. The lease stays: it says how long its worker may still write files.
_wipe: dict[str, Any] = {
    "gone_at": _now,
    "status": case((_open, literal(Status.CANCELLED.value)), else_=C.status),
    "finished_at": func.coalesce(C.finished_at, _now),
    "image": {},
    "result": None,
    "warnings": [],
    "timings": {},
}
DELETE_PIXELS = update(TABLE).where(_id == C.id, C.gone_at.is_(None)).values(**_wipe)
_expired = and_(C.gone_at.is_(None), C.expires_at <= _now)
_some_expired = select(C.id).where(_expired).order_by(C.expires_at).limit(bindparam("max_rows"))
EXPIRE = (
    update(TABLE).where(C.id.in_(_some_expired.with_for_update(skip_locked=True)), _expired).values(**_wipe)
)
TO_CLEAN = (
    select(C.id)
    .where(C.gone_at.is_not(None), C.files_removed_at.is_(None))
    .order_by(C.gone_at)
    .limit(bindparam("max_rows"))
)
_no_writer = or_(C.lease_until.is_(None), C.lease_until < _now)
FILES_REMOVED = (
    update(TABLE)
    .where(_locked(and_(_ids, C.gone_at.is_not(None), _no_writer), skip_locked=False))
    .values(files_removed_at=_now)
)
PURGE = delete(TABLE).where(
    C.files_removed_at.is_not(None), C.gone_at < bindparam("gone_before", type_=UtcDateTime())
)
