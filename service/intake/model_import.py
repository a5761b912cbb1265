"""Models in and out as one file; takes in nothing that could run, and nothing that this version cannot serve."""

import hashlib
import logging
import secrets
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import BinaryIO

from sqlalchemy.exc import SQLAlchemyError

from service.intake.model_check import check_servable
from shared.contract.errors import Conflict, NotFound, StorageUnavailable
from shared.database.file_removals import FileRemovals
from shared.database.models import Models, StoredModel, shipped_folder
from shared.files.paths import model_folder
from shared.files.store import FileStore
from shared.registry.archives import (
    CARD,
    CURVES,
    NAMES,
    NEEDED,
    WEIGHTS,
    InvalidModel,
    Member,
    members_of,
    unpack,
)
from shared.registry.cards import InvalidCard, ModelCard
from shared.registry.weights_header import InvalidWeights, TensorEntry, read_header

_log = logging.getLogger(__name__)


class ModelArchives:
    """Packs, takes in and removes models; `scratch` is a local folder for what is being looked at."""

    def __init__(
        self,
        files: FileStore,
        models: Models,
        removals: FileRemovals,
        models_dir: Path,
        scratch: Path,
        max_bytes: int,
    ) -> None:
        self._files, self._models, self._removals, self._models_dir = files, models, removals, models_dir
        self._scratch, self._max_bytes = scratch, max_bytes
        self._taking_in = BoundedSemaphore(2)  # each needs the disk for as much as its model has

    def members(self, model: StoredModel) -> list[Member]:
        """The model's files. NotFound where this host does not have them."""
        folder = shipped_folder(model.location, self._models_dir)
        if folder is not None:
            found = members_of(folder)
        else:
            paths = {name: f"{model.location}/{name}" for name in NAMES}
            there = {name: path for name, path in paths.items() if self._files.exists(path)}
            found = [Member(name, partial(self._files.open, path)) for name, path in there.items()]
        if not {member.name for member in found}.issuperset(NEEDED):
            raise NotFound(f"The files of the model {model.id} are not here.")
        return found

    def curves(self, model: StoredModel) -> bytes | None:
        """PNG of the model's training, if it came with one."""
        folder = shipped_folder(model.location, self._models_dir)
        with suppress(FileNotFoundError):
            if folder is not None:
                return (folder / CURVES).read_bytes()
            return self._files.read(f"{model.location}/{CURVES}")
        return None

    def take_in(self, file: BinaryIO, *, actor: str) -> tuple[StoredModel, bool]:
        """Register the model of an archive; whether it is new.

        Raises InvalidModel, InvalidCard, Conflict (another model has the id), StorageUnavailable.
        """
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._taking_in, tempfile.TemporaryDirectory(dir=self._scratch, prefix="model-") as name:
                folder = Path(name)
                unpack(file, folder, self._max_bytes)
                return self._keep(folder, _checked_card(folder), actor)
        except (OSError, SQLAlchemyError) as error:
            _log.exception("model_not_taken_in")
            raise StorageUnavailable from error

    def remove(self, model: StoredModel, *, actor: str) -> None:
        """Forget the model and delete its files. Conflict while an alias needs it, and for shipped ones."""
        if shipped_folder(model.location, self._models_dir) is not None:
            raise Conflict(f"The model {model.id} was shipped with the service, which would bring it back.")
        self._models.delete(model.id, actor=actor)
        self._removals.remove(model.location)

    def _keep(self, folder: Path, card: ModelCard, actor: str) -> tuple[StoredModel, bool]:
        known = self._known(card)
        if known is not None:
            return known, False
        # A place of its own: two imports at a time, or an import and a deletion, never meet.
        location = model_folder(card.id, secrets.randbits(48))
        try:
            for path in sorted(folder.iterdir()):
                self._files.put(f"{location}/{path.name}", path)
            return self._models.register(card, location, actor=actor), True
        except BaseException as error:
            if not self._may_be_registered(card, location):
                self._files.delete_tree(location)
            known = self._known(card) if isinstance(error, Conflict) else None
            if known is None:
                raise
            return known, False

    def _may_be_registered(self, card: ModelCard, location: str) -> bool:
        """Whether the files are in use: a database may have done what it could not say any more."""
        try:
            return self._models.get(card.id).location == location
        except NotFound:
            return False
        except SQLAlchemyError:
            return True

    def _known(self, card: ModelCard) -> StoredModel | None:
        """The very same model, if it is registered. Conflict if another one has its id."""
        try:
            stored = self._models.get(card.id)
        except NotFound:
            return None
        if stored.card.digest() != card.digest():
            raise Conflict(f"There is another model with the id {card.id!r}; give this one another id.")
        return stored


def _checked_card(folder: Path) -> ModelCard:
    """The card, once it and the weights are known to be good. InvalidCard, InvalidModel."""
    try:
        card = ModelCard.load(folder / CARD)
    except InvalidCard as error:
        if error.errors is not None:
            raise
        why = error.detail.removeprefix(f"{folder}/")  # where it lies on this host is nobody's business
        raise InvalidCard(why, {CARD: [why]}) from None
    except ValueError as error:  # such as a number of thousands of digits
        raise InvalidCard(f"The model card is not valid: {error}", {"card": [str(error)]}) from None
    check_servable(card, _checked_weights(folder / WEIGHTS, card))
    return card


def _checked_weights(path: Path, card: ModelCard) -> dict[str, TensorEntry]:
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            tensors = read_header(file, size)
        except InvalidWeights as error:
            raise _invalid_weights(f"cannot be loaded: {error}") from None
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size != card.weights.bytes:
        raise _invalid_weights(f"have {size} bytes; their card says {card.weights.bytes}")
    if digest != card.weights.sha256:
        raise _invalid_weights("are not those of the card: their SHA-256 differs")
    return tensors


def _invalid_weights(why: str) -> InvalidModel:
    return InvalidModel(f"The weights {why}.", {WEIGHTS: [f"The weights {why}."]})
