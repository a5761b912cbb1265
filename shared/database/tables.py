"""Tables. Times are UTC; ids are opaque and unguessable; no patient data outside `segmentations`."""

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from shared.contract.names import (
    DatasetStatus,
    EvaluationStatus,
    RunStatus,
    SegmentationKind,
    SegmentationStatus,
)

# Constraints need names of their own so that a migration can drop them again.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> str:
    """A fresh id: 128 random bits, URL-safe; hex, so that no id starts with a dash."""
    return secrets.token_hex(16)


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in and out; SQLite keeps them as naive UTC text of fixed width, which sorts as time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times (ValueError): whose midnight would it be?"""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _partial(name: str, condition: str, *columns: str) -> Index:
    return Index(
        f"ix_segmentations_{name}", *columns, sqlite_where=text(condition), postgresql_where=text(condition)
    )


def _one_of(statuses: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"status IN ({', '.join(repr(s.value) for s in statuses)})", name="status")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        list[str]: JSON,
    }


class ApiKey(Base):
    """A key, by the SHA-256 of its secret."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]]
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Segmentation(Base):
    """A job and its result. `gone_at`: pixels and result must not be given out any more (410)."""

    __tablename__ = "segmentations"
    __table_args__ = (
        _one_of(SegmentationStatus),
        Index(None, "status", "lease_until", "gone_at"),  # the last so that counting needs no rows
        Index(None, "owner", "created_at", "id"),
        Index(None, "created_at", "id"),
        # Partial: old tombstones are many, and what is left to do is little.
        _partial("to_expire", "gone_at IS NULL", "expires_at"),
        _partial("to_clean", "gone_at IS NOT NULL AND files_removed_at IS NULL", "gone_at"),
        _partial("to_purge", "files_removed_at IS NOT NULL", "gone_at"),
        _partial("volumes", "kind <> 'picture'", "finished_at"),
        _partial("ended", "finished_at IS NOT NULL", "status", "finished_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16), server_default=SegmentationKind.PICTURE.value)
    status: Mapped[str] = mapped_column(String(16))
    progress: Mapped[float]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(String(200))
    image: Mapped[dict[str, Any]]
    model_id: Mapped[str] = mapped_column(String(64))
    alias: Mapped[str | None] = mapped_column(String(64))
    threshold: Mapped[float | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    warnings: Mapped[list[Any]]
    timings: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    enqueued_at: Mapped[datetime | None]
    files_removed_at: Mapped[datetime | None]


class Dataset(Base):
    """Pictures and masks to train on; the archive lies in the file store, `folder` under the operator's folder.

    `report` and `findings` are what the validation found. `gone_at`: deleted, its files are to be removed.
    """

    __tablename__ = "datasets"
    __table_args__ = (
        _one_of(DatasetStatus),
        Index(None, "owner", "created_at", "id"),
        Index(None, "status", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    format: Mapped[str] = mapped_column(String(32))  # as asked for; what was found once it is ready
    options: Mapped[dict[str, Any]]  # of the reader
    folder: Mapped[str | None] = mapped_column(String(200))
    archive_bytes: Mapped[int | None] = mapped_column(BigInteger)
    archive_sha256: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]
    files_removed_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(String(200))
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    findings: Mapped[list[Any]]
    attempts: Mapped[int]
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]


class TrainingRun(Base):
    """A run: what was asked for, how far it is, and where it goes on from.

    `attempts` counts the processes that were started for it, `fruitless` those since the last checkpoint.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        _one_of(RunStatus),
        Index(None, "owner", "created_at", "id"),
        Index(None, "status", "created_at"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    dataset_id: Mapped[str] = mapped_column(String(64))  # may be deleted before the run is
    recipe: Mapped[str | None] = mapped_column(String(64))  # the preset it began with
    specification: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(16))
    progress: Mapped[dict[str, Any]]
    epochs: Mapped[list[Any]]
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    model_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(String(200))
    attempts: Mapped[int]
    fruitless: Mapped[int]
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]


class TrainingEvent(Base):
    """What happened to a run, numbered from 1: a client that lost the stream asks for those after its last."""

    __tablename__ = "training_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("training_runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    data: Mapped[dict[str, Any]]


class Evaluation(Base):
    """A model's figures on a dataset, beside another model's where `against_id` names one.

    Models and dataset may be deleted before it is done, or later. `gone_at`: deleted, its files are to be removed.
    """

    __tablename__ = "evaluations"
    __table_args__ = (
        _one_of(EvaluationStatus),
        Index(None, "owner", "created_at", "id"),
        Index(None, "model_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "status", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    model_id: Mapped[str] = mapped_column(String(64))
    against_id: Mapped[str | None] = mapped_column(String(64))
    dataset_id: Mapped[str] = mapped_column(String(64))
    split: Mapped[str] = mapped_column(String(16))
    test_time_augmentation: Mapped[bool | None]  # null: as in the model's card
    status: Mapped[str] = mapped_column(String(16))
    progress: Mapped[float]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]
    files_removed_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(String(200))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attempts: Mapped[int]
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]


class FileRemoval(Base):
    """A folder of the file store that nothing refers to any more: it is to be removed, however often that is tried."""

    __tablename__ = "file_removals"

    path: Mapped[str] = mapped_column(String(300), primary_key=True)
    requested_at: Mapped[datetime] = mapped_column(index=True)


class Model(Base):
    """A model by its card; `location` says where its folder is (see shared.database.models)."""

    __tablename__ = "models"
    __table_args__ = (Index(None, "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    card: Mapped[dict[str, Any]]
    card_sha256: Mapped[str] = mapped_column(String(64))
    location: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Alias(Base):
    """A name that points to a model; the database refuses to delete a model that is pointed to.

    `serving_id` answers until the workers have `model_id` warm; then the two are equal. `previous_id`, which it pointed
    to before, may be deleted.
    """

    __tablename__ = "aliases"
    __table_args__ = (Index(None, "model_id"), Index(None, "serving_id"))

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    serving_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    previous_id: Mapped[str | None] = mapped_column(String(64))
    updated_at: Mapped[datetime]


class IdempotencyKey(Base):
    """A client's Idempotency-Key; `resource_id` is null while the first request is in progress."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "expires_at"),)

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(128))
    resource_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Worker(Base):
    """A worker process and when it last showed life.

    `encoder_weights`: what a training worker can begin encoders with; null where it does not say.
    """

    __tablename__ = "workers"
    __table_args__ = (Index(None, "queue", "seen_at"),)

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    queue: Mapped[str] = mapped_column(String(32))
    device: Mapped[str] = mapped_column(String(200))
    engine: Mapped[str] = mapped_column(String(64))
    models: Mapped[list[str]]
    encoder_weights: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Audit(Base):
    """Who did what to which thing; never patient data."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[str] = mapped_column(String(200))
