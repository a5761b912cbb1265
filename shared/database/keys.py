"""API keys: 256 random bits, kept as their SHA-256 (a slow hash is for passwords that people choose)."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table, bindparam, exists, insert, or_, select, update

from shared.contract.config import ConfigError
from shared.contract.errors import InvalidFields
from shared.contract.names import Scope
from shared.database import audit
from shared.database.database import Database
from shared.database.tables import ApiKey, new_id, utc_now

TABLE = cast(Table, ApiKey.__table__)
C = TABLE.c
PREFIX = "seg_"
MIN_FILE_SECRET = 32
# `last_used_at` is for people: a write for each request would cost more than the request's other writes.
USE_NOTED_EVERY = timedelta(minutes=1)

_PUBLIC = [C.id, C.name, C.scopes, C.created_at, C.last_used_at, C.revoked_at]
_BY_HASH = select(*_PUBLIC, C.secret_sha256).where(C.secret_sha256 == bindparam("digest"))
_USED = (
    update(TABLE)
    .where(C.id == bindparam("key_id"), or_(C.last_used_at.is_(None), C.last_used_at <= bindparam("before")))
    .values(last_used_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def allows(self, scope: Scope | str) -> bool:
        """Whether the key has the scope; `admin` has all."""
        return Scope.ADMIN in self.scopes or scope in self.scopes


class Keys:
    """The table of keys. `actor` is the id of the key that asks, for the audit."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = database
        self._clock = clock

    def create(self, name: str, scopes: Iterable[str], *, actor: str = audit.SYSTEM) -> tuple[str, str]:
        """A new key: its id, and the secret, which nobody can see again. InvalidFields: name, scopes."""
        secret = PREFIX + secrets.token_urlsafe(32)
        return self._insert(name, scopes, secret, actor), secret

    def verify(self, secret: str) -> Key | None:
        """The key of this secret, unless it is unknown or revoked."""
        digest = _digest(secret)
        with self._db.read() as connection:
            row = connection.execute(_BY_HASH, {"digest": digest}).one_or_none()
        if row is None or row.revoked_at is not None or not hmac.compare_digest(row.secret_sha256, digest):
            return None
        key = _key(row)
        self._note_use(key)
        return key

    def revoke(self, id: str, *, actor: str = audit.SYSTEM) -> bool:
        """End the key at once; False if there is none or it was revoked before."""
        statement = update(TABLE).where(C.id == id, C.revoked_at.is_(None)).values(revoked_at=self._clock())
        with self._db.write() as connection:
            if connection.execute(statement).rowcount == 0:
                return False
            audit.record(connection, actor, "key.revoke", id, clock=self._clock)
        return True

    def list(self) -> list[Key]:
        """All keys, newest first, revoked ones too, without secrets."""
        with self._db.read() as connection:
            return [
                _key(row) for row in connection.execute(select(*_PUBLIC).order_by(C.created_at.desc(), C.id))
            ]

    def any_exists(self) -> bool:
        """Whether a key exists that is not revoked."""
        with self._db.read() as connection:
            return bool(connection.execute(select(exists().where(C.revoked_at.is_(None)))).scalar())

    def ensure_from_file(
        self, path: Path | str, scopes: Iterable[str] = tuple(Scope), name: str = "bootstrap"
    ) -> Key:
        """The key whose secret stands in the file (BOOTSTRAP_KEY_FILE), made if there is none yet.

        Raises ConfigError if the file cannot be read, its secret is too short, or the key was revoked.
        """
        secret = _read_secret(Path(path))
        digest = _digest(secret)
        with self._db.write() as connection:
            values = self._values(name, scopes, digest)
            statement = self._db.insert(TABLE).on_conflict_do_nothing().returning(C.id)
            if connection.execute(statement, values).first() is not None:
                audit.record(connection, audit.SYSTEM, "key.create", values["id"], clock=self._clock)
            row = connection.execute(_BY_HASH, {"digest": digest}).one()
        if row.revoked_at is not None:
            raise ConfigError(f"BOOTSTRAP_KEY_FILE: the key in {path} was revoked: put a new secret there")
        return _key(row)

    def _insert(self, name: str, scopes: Iterable[str], secret: str, actor: str) -> str:
        values = self._values(name, scopes, _digest(secret))
        with self._db.write() as connection:
            connection.execute(insert(TABLE), values)
            audit.record(connection, actor, "key.create", values["id"], clock=self._clock)
        return str(values["id"])

    def _values(self, name: str, scopes: Iterable[str], digest: str) -> dict[str, Any]:
        known = _valid(name, [*scopes])
        return {
            "id": new_id(),
            "name": name,
            "scopes": known,
            "secret_sha256": digest,
            "created_at": self._clock(),
            "last_used_at": None,
            "revoked_at": None,
        }

    def _note_use(self, key: Key) -> None:
        now = self._clock()
        if key.last_used_at is not None and now - key.last_used_at < USE_NOTED_EVERY:
            return
        with self._db.write() as connection:
            connection.execute(_USED, {"key_id": key.id, "now": now, "before": now - USE_NOTED_EVERY})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Any) -> Key:
    scopes = frozenset(Scope(scope) for scope in row.scopes)
    return Key(row.id, row.name, scopes, row.created_at, row.last_used_at, row.revoked_at)


def _valid(name: str, scopes: list[str]) -> list[str]:
    errors: dict[str, list[str]] = {}
    if not 1 <= len(name) <= 100 or not name.isprintable():
        errors["name"] = ["Must be 1 to 100 printable characters."]
    unknown = sorted(set(scopes) - {scope.value for scope in Scope})
    if unknown or not scopes:
        found = f"unknown: {', '.join(unknown)}" if unknown else "none given"
        errors["scopes"] = [f"Must be some of {', '.join(Scope)} ({found})."]
    if errors:
        raise InvalidFields(errors=errors)
    return sorted({str(scope) for scope in scopes})


def _read_secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"BOOTSTRAP_KEY_FILE: {path} cannot be read ({type(error).__name__}): {_TODO}"
        ) from None
    if len(secret) < MIN_FILE_SECRET or not secret.isprintable() or " " in secret:
        raise ConfigError(
            f"BOOTSTRAP_KEY_FILE: {path} holds no secret of {MIN_FILE_SECRET} or more characters: {_TODO}"
        )
    return secret


_TODO = "write one line into it, such as the output of `openssl rand -base64 32`"
