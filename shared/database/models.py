"""Models by card, aliases that point to them, and the models that are shipped with the code."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from re import compile as pattern
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Row,
    String,
    Table,
    bindparam,
    case,
    delete,
    exists,
    literal,
    or_,
    select,
    update,
)

from shared.contract.errors import Conflict, InvalidFields, NotFound, UnknownModel
from shared.contract.names import DEFAULT_ALIAS, DEFAULT_MODEL
from shared.database import audit, file_removals
from shared.database.database import Database
from shared.database.paging import Page, read_page
from shared.database.tables import Alias, Model, utc_now
from shared.registry.cards import ModelCard

MODELS, ALIASES = cast(Table, Model.__table__), cast(Table, Alias.__table__)
M, A = MODELS.c, ALIASES.c
# A shipped model lies under each process's own MODELS_DIR (API and GPU hosts share no disk).
SHIPPED = "shipped:"
DELETED = "model.delete"
_ALIAS_NAME = pattern(r"[a-z0-9][a-z0-9._-]{0,63}")

_ref = bindparam("ref", type_=String())
# An alias wins over an id of the same name; `set_alias` and `register` see to it that there is no such pair.
_RESOLVE = (
    select(M.id, M.card_sha256, A.name.label("alias"))
    .select_from(MODELS.outerjoin(ALIASES, (A.serving_id == M.id) & (A.name == _ref)))
    .where(or_(M.id == _ref, A.name == _ref))
    .order_by(A.name.is_(None))
    .limit(1)
)
_GET = select(MODELS).where(M.id == _ref)
_ALIASES = (
    select(A.name, A.model_id, A.serving_id, M.id.label("previous_id"))
    .select_from(ALIASES.outerjoin(MODELS, A.previous_id == M.id))
    .order_by(A.name)
)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model: `location` is `shipped:NAME` or a folder of the file store."""

    id: str
    card: ModelCard
    location: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AliasView:
    """Where an alias points; `serving_id` answers until the workers have `model_id` warm.

    `previous_id`: where it pointed before the last change; None where there was none, or it was deleted since.
    """

    model_id: str
    serving_id: str
    previous_id: str | None = None


def _deleted(id: str, digest: str) -> str:
    """What the audit calls a deleted model."""
    return f"{id}@{digest[:16]}"


def _refuse_another_life(connection: Connection, card: ModelCard) -> None:
    deeds = audit.TABLE.c
    others = select(literal(1)).where(
        deeds.action == DELETED,
        deeds.object_id.startswith(f"{card.id}@", autoescape=True),
        deeds.object_id != _deleted(card.id, card.digest()),
    )
    if connection.execute(others.limit(1)).scalar():
        raise Conflict(
            f"The id {card.id!r} was another model's, which was deleted; give this one another id."
        )


class Models:
    """The tables of models and aliases. Cards are immutable but by `register(replace=True)`, so they are cached."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = database
        self._clock = clock
        self._cache: dict[str, tuple[str, StoredModel]] = {}

    def register(
        self, card: ModelCard, location: str, *, replace: bool = False, actor: str | None = None
    ) -> StoredModel:
        """Add the model; again with the same card changes nothing; Conflict with another card unless `replace`.

        With an `actor` it is an import, and noted as such. The id of a model that was deleted is only given to the very
        same model again: workers may still have the old one warm. Conflict.
        """
        with self._db.write() as connection:
            stored = add_model(self._db, connection, card, location, self._clock(), replace=replace)
            if actor is not None:
                _refuse_another_life(connection, card)
                audit.record(connection, actor, "model.import", card.id, clock=self._clock)
        return self._hydrate(stored)

    def register_shipped(self, models_dir: Path) -> list[StoredModel]:
        """Add (or renew) every models_dir/NAME/card.json.

        If `default` is not set, it is set to DEFAULT_MODEL, or where that is not shipped to the first by name. Raises
        InvalidCard for a card that cannot be used.
        """
        cards = sorted(models_dir.glob("*/card.json"))
        stored = [self.register(ModelCard.load(p), f"{SHIPPED}{p.parent.name}", replace=True) for p in cards]
        if stored:
            first = min(stored, key=lambda model: (model.id != DEFAULT_MODEL, model.location))
            with self._db.write() as connection:
                insert = self._db.insert(ALIASES).values(_new_alias(DEFAULT_ALIAS, first.id, self._clock()))
                connection.execute(insert.on_conflict_do_nothing())
        return stored

    def get(self, id: str) -> StoredModel:
        """The model with this id (not alias); NotFound."""
        with self._db.read() as connection:
            row = connection.execute(_GET, {"ref": id}).one_or_none()
        if row is None:
            raise NotFound(f"There is no model {id!r:.80}")
        return self._hydrate(row)

    def list(self, limit: int = 50, cursor: str | None = None) -> Page[StoredModel]:
        """One page, newest first."""
        return read_page(self._db, select(MODELS), M.created_at, M.id, limit, cursor, self._hydrate)

    def resolve(self, reference: str) -> tuple[StoredModel, str | None]:
        """The model of an alias or id, and the alias if it was one; UnknownModel on the field `model`."""
        with self._db.read() as connection:
            row = connection.execute(_RESOLVE, {"ref": reference}).one_or_none()
        if row is None:
            message = f"There is no model or alias {reference!r:.80}"
            raise UnknownModel(message, {"model": [message]})
        digest, model = self._cache.get(row.id, ("", None))
        if model is None or digest != row.card_sha256:
            model = self.get(row.id)
        return model, row.alias

    def set_alias(self, alias: str, model_id: str, *, actor: str = audit.SYSTEM) -> None:
        """Point the alias to the model; a new alias serves it at once, an old one what it did until `serve`.

        Raises InvalidFields (alias), UnknownModel.
        """
        if not _ALIAS_NAME.fullmatch(alias):
            raise InvalidFields(
                errors={"alias": ["Must be 1 to 64 of a-z 0-9 . _ -, starting with a letter or digit."]}
            )
        with self._db.write() as connection:
            taken = connection.execute(select(M.id).where(M.id.in_([alias, model_id]))).scalars().all()
            if alias in taken:
                raise InvalidFields(errors={"alias": ["This is the id of a model."]})
            if model_id not in taken:
                raise UnknownModel(
                    f"There is no model {model_id!r:.80}", {"model": ["There is no such model."]}
                )
            new = _new_alias(alias, model_id, self._clock())
            changed = {name: new[name] for name in ("model_id", "updated_at")}
            changed["previous_id"] = case((A.model_id != model_id, A.model_id), else_=A.previous_id)
            insert = self._db.insert(ALIASES).values(new)
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=changed))
            audit.record(connection, actor, "alias.set", f"{alias}={model_id}", clock=self._clock)

    def aliases(self) -> dict[str, AliasView]:
        """All aliases, by name."""
        with self._db.read() as connection:
            rows = connection.execute(_ALIASES)
            return {row.name: AliasView(row.model_id, row.serving_id, row.previous_id) for row in rows}

    def pending(self) -> dict[str, str]:
        """Alias -> the model that it points to and does not serve yet."""
        return {
            name: alias.model_id
            for name, alias in self.aliases().items()
            if alias.model_id != alias.serving_id
        }

    def serve(self, alias: str, model_id: str) -> bool:
        """The model is warm: it answers for the alias from now on; False if the alias points elsewhere by now."""
        change = update(ALIASES).where(A.name == alias, A.model_id == model_id).values(serving_id=model_id)
        with self._db.write() as connection:
            return connection.execute(change).rowcount == 1

    def delete_alias(self, alias: str, *, actor: str = audit.SYSTEM) -> None:
        """The name points nowhere any more; NotFound."""
        with self._db.write() as connection:
            if connection.execute(delete(ALIASES).where(A.name == alias)).rowcount == 0:
                raise NotFound(f"There is no alias {alias!r:.80}")
            audit.record(connection, actor, "alias.delete", alias, clock=self._clock)

    def delete(self, id: str, *, actor: str = audit.SYSTEM) -> None:
        """Forget the model; its folder, if it is not a shipped one, is noted to be removed.

        NotFound; Conflict if an alias points to or serves it.
        """
        pointed_to = exists().where(or_(A.model_id == id, A.serving_id == id))
        with self._db.write() as connection:
            forgotten = delete(MODELS).where(M.id == id, ~pointed_to).returning(M.card_sha256, M.location)
            row = connection.execute(forgotten).first()
            if row is None:
                if connection.execute(select(literal(1)).where(pointed_to)).scalar():
                    raise Conflict(f"An alias points to the model {id!r}: point it elsewhere first")
                raise NotFound(f"There is no model {id!r:.80}")
            if not row.location.startswith(SHIPPED):
                file_removals.note(connection, row.location, self._clock())
            audit.record(connection, actor, DELETED, _deleted(id, row.card_sha256), clock=self._clock)
        self._cache.pop(id, None)

    def _hydrate(self, row: Row[Any]) -> StoredModel:
        """A card is read and checked once, not for each request."""
        digest, model = self._cache.get(row.id, ("", None))
        if model is None or digest != row.card_sha256 or model.location != row.location:
            model = StoredModel(row.id, ModelCard.from_dict(row.card), row.location, row.created_at)
            self._cache[row.id] = (row.card_sha256, model)
        return model


def add_model(
    database: Database,
    connection: Connection,
    card: ModelCard,
    location: str,
    now: datetime,
    *,
    replace: bool = False,
) -> Row[Any]:
    """`Models.register` within a transaction; the stored row."""
    digest = card.digest()
    row = {"id": card.id, "card": card.to_dict(), "card_sha256": digest, "location": location}
    if connection.execute(select(exists().where(A.name == card.id))).scalar():
        raise Conflict(f"The model id {card.id!r} is an alias already")
    insert = database.insert(MODELS).values(**row, created_at=now)
    connection.execute(insert.on_conflict_do_nothing(index_elements=["id"]))
    stored = connection.execute(_GET, {"ref": card.id}).one()
    if (stored.card_sha256, stored.location) != (digest, location):
        if not replace:
            raise Conflict(f"There is another model with the id {card.id!r}")
        connection.execute(update(MODELS).where(M.id == card.id).values(**row))
        stored = connection.execute(_GET, {"ref": card.id}).one()
    return stored


def _new_alias(name: str, model_id: str, now: datetime) -> dict[str, Any]:
    return {"name": name, "model_id": model_id, "serving_id": model_id, "updated_at": now}


def shipped_folder(location: str, models_dir: Path) -> Path | None:
    """The folder of a shipped model on this host; None if the location is in the file store."""
    return models_dir / location.removeprefix(SHIPPED) if location.startswith(SHIPPED) else None
