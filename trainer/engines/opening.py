"""From a model's id to the warm model: finds its folder on this host, fetching it once, and opens it."""

import shutil
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import structlog

from shared.contract.errors import ModelUnusable, NotFound, ServiceError
from shared.database.models import Models, StoredModel, shipped_folder
from shared.files.store import FileStore
from shared.registry.archives import BESIDE, CARD
from trainer.engines.model_folder import ModelFolder
from trainer.engines.open_engine import open_engine
from trainer.engines.warm_models import ServedModel

_log = structlog.get_logger(__name__)
# A folder that is younger may belong to a model that was registered a moment ago.
SWEEP_AFTER_S = 3600.0


class ModelFolders:
    """Models as folders of this host: shipped, in a local file store, or copied from a remote one."""

    def __init__(self, files: FileStore, models_dir: Path, cache_dir: Path) -> None:
        self._files, self._models_dir, self._cache_dir = files, models_dir, cache_dir

    def folder(self, stored: StoredModel) -> Path:
        """The folder, whose card and weights are those that were registered. Raises ModelUnusable, OSError."""
        shipped = shipped_folder(stored.location, self._models_dir)
        if shipped is not None:
            return shipped  # its card may be of another release than the API's
        local = self._files.local_path(stored.location)
        if local is not None:
            _check(local, stored)
            return local
        cached = self._cache_dir / stored.location
        if _is_whole(cached, stored):
            self._fetch_beside(stored, cached)  # what an earlier release left out
        else:
            self._fetch(stored, cached)
        return cached

    def sweep(self, registry: Models) -> None:
        """Drop copies of models that are registered no more."""
        locations: set[str] = set()
        cursor: str | None = None
        try:
            while True:
                page = registry.list(100, cursor)
                locations |= {model.location for model in page.items}
                if (cursor := page.next) is None:
                    break
        except ServiceError as error:  # a card of another release: better keep a copy too much
            _log.warning("copies_not_swept", error=error.detail)
            return
        self._drop_others(locations)

    def _drop_others(self, locations: Collection[str]) -> None:
        for folder in self._cache_dir.glob("models/*"):
            location = folder.relative_to(self._cache_dir).as_posix()
            if location not in locations and time.time() - folder.stat().st_mtime > SWEEP_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)

    def _fetch(self, stored: StoredModel, folder: Path) -> None:
        """Whole or not at all, also while another worker of this host does the same."""
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as temporary:
            part = Path(temporary) / "model"
            part.mkdir()
            for name in (CARD, stored.card.weights.file):
                try:
                    self._files.fetch(f"{stored.location}/{name}", part / name)
                except FileNotFoundError as error:
                    raise ModelUnusable(
                        f"{name} of the model {stored.id} is not in the file store."
                    ) from error
            self._fetch_beside(stored, part)
            _check(part, stored)
            try:
                part.replace(folder)
            except OSError:
                _check(folder, stored)  # another worker was faster

    def _fetch_beside(self, stored: StoredModel, folder: Path) -> None:
        """What the model may have besides, and the folder has not yet."""
        for name in BESIDE:
            path = f"{stored.location}/{name}"
            if not (folder / name).exists() and self._files.exists(path):
                with suppress(FileNotFoundError):  # just deleted
                    self._files.fetch(path, folder / name)


class Opener:
    """Opens models by id, for `WarmModels`; `device` and `engine` are those of the last one."""

    def __init__(
        self, registry: Models, folders: ModelFolders, device: str, engine: str, cache_dir: Path
    ) -> None:
        self._registry, self._folders, self._wanted, self._cache_dir = registry, folders, engine, cache_dir
        self.device, self.engine = device, "none"

    def __call__(self, model_id: str) -> ServedModel:
        """May take seconds. Raises ModelUnusable, OSError."""
        try:
            stored = self._registry.get(model_id)
        except NotFound as error:
            raise ModelUnusable(f"The model {model_id} was deleted.") from error
        source = ModelFolder(self._folders.folder(stored))
        engine = open_engine(source, self.device, self._wanted, self._cache_dir)
        self.device, self.engine = engine.device, engine.name
        card = source.card
        return ServedModel(
            model_id, engine, source.preprocessing, card.threshold, card.min_region_pixels, card.unlike, card
        )

    def sweep(self) -> None:
        """Drop this host's copies of models that were deleted."""
        self._folders.sweep(self._registry)


def _check(folder: Path, stored: StoredModel) -> None:
    """Raise ModelUnusable unless the folder is the registered model."""
    source = ModelFolder(folder)
    if source.card.digest() != stored.card.digest():
        raise ModelUnusable(f"The card of the model {stored.id} is not the one that was registered.")
    source.verify()


def _is_whole(folder: Path, stored: StoredModel) -> bool:
    """Whether there is a good copy; a damaged one is removed."""
    if not folder.is_dir():
        return False
    try:
        _check(folder, stored)
    except ModelUnusable as error:
        _log.warning("copy_of_model_damaged", model=stored.id, error=error.detail)
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True
