"""An API with a database of its own, a queue in memory and a worker that needs no network."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.app import create_app
from service.container import EXTENSION, Services
from service.settings import ServiceSettings
from shared.contract.config import StoreSettings
from shared.contract.names import Queue
from shared.database.database import Database, create_all
from shared.files.store import FileStore
from tests.fakes import images
from tests.fakes.cards import card
from tests.fakes.queue import WORKER, FakeJobs, FakeWorker

SLICE = images.png(images.picture(height=40, width=56, channels=3))


class Client(FlaskClient):
    """Reads answers to their end at once, as a client does; files would stay open otherwise."""

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> Any:
        return super().open(*args, buffered=buffered, **kwargs)


@dataclass
class Api:
    """A running API and what stands around it."""

    app: Flask
    jobs: FakeJobs
    client: FlaskClient

    @property
    def parts(self) -> Services:
        return self.app.extensions[EXTENSION]

    def key(self, *scopes: str) -> dict[str, str]:
        """Headers with a fresh key of these scopes."""
        _, secret = self.parts.stored.keys.create("test", scopes)
        return {"Authorization": f"Bearer {secret}"}

    def post(self, image: bytes | None = SLICE, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """POST /v1/segmentations."""
        data: dict[str, Any] = dict(fields)
        if image is not None:
            data["image"] = (io.BytesIO(image), "slice.png")
        return self.client.post(
            "/v1/segmentations", data=data, headers=headers, content_type="multipart/form-data"
        )

    def files(self) -> list[str]:
        """All that lies in the file store."""
        root = Path(self.parts.settings.store.store_url)
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(
        store=StoreSettings.from_env(
            {"DATA_DIR": str(tmp_path / "data"), "REDIS_URL": "unix:///nowhere.sock"}
        ),
        sse_s=0.05,  # a stream ends almost at once
    )


@pytest.fixture
def make_api(settings: ServiceSettings) -> Iterator[Callable[..., Api]]:
    """Builds an API; keyword arguments change its settings."""
    made: list[Database] = []

    def make(*, workers: bool = True, **changes: Any) -> Api:
        chosen = replace(settings, **changes)
        database = Database(chosen.store.database_url)
        made.append(database)
        create_all(database)
        jobs, files = FakeJobs(), FileStore(chosen.store.store_url)
        app = create_app(chosen, queue=jobs, files=files, database=database)
        app.testing = False  # errors take the way that clients see
        app.test_client_class = Client
        parts: Services = app.extensions[EXTENSION]
        jobs.worker = FakeWorker(parts.stored.segmentations, files)
        parts.stored.models.register(card("lgg-unet"), "shipped:lgg-unet")
        parts.stored.models.set_alias("default", "lgg-unet")
        if workers:
            parts.stored.workers.beat(WORKER, Queue.INFERENCE, "cpu", "fake", ["lgg-unet"], "1")
        return Api(app, jobs, app.test_client())

    yield make
    for database in made:
        database.close()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """On loopback: no key is asked."""
    return make_api()


@pytest.fixture
def guarded(make_api: Callable[..., Api]) -> Api:
    """Where a key is asked."""
    return make_api(open_access=False, host="0.0.0.0")
