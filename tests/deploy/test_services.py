"""The services of docker-compose.yml started as plain processes, with their own command lines and settings."""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from service.launcher.run import redis_server
from tests.deploy.compose import command_of, compose, environment_of
from tests.fakes.launch import ROOT, a_png, clean_environment, get, post_image, until
from tests.fakes.model import make_model
from tests.shared import postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KEY = "k" * 40


class Stack:
    """The containers' stand-ins: one place for /data, /run/secrets and the network."""

    def __init__(self, place: Path, database_url: str) -> None:
        self.place, self._processes = place, {}
        self._replaced = {
            "DATA_DIR": str(place / "data"),
            "REDIS_URL": f"unix://{place}/redis.sock",
            "DATABASE_URL": database_url,
            "HOST": "127.0.0.1",
            "PORT": str(free_port()),
        }
        (place / "secrets").mkdir()
        (place / "secrets" / "bootstrap_key").write_text(KEY + "\n")
        (place / "secrets" / "database_password").write_text("it is / p@ssword%\n")
        self.address = f"http://127.0.0.1:{self._replaced['PORT']}"

    def environment(self, service: str) -> dict[str, str]:
        """What the service gets, with paths and addresses of this machine."""
        values = environment_of(service, {"DEVICE": "cpu"})
        values |= {name: self._replaced[name] for name in values.keys() & self._replaced.keys()}
        values = {n: v.replace("/run/secrets", f"{self.place}/secrets") for n, v in values.items()}
        if not self._replaced["DATABASE_URL"].startswith("postgresql"):
            values.pop("DATABASE_PASSWORD_FILE", None)  # SQLite has none
        # torch, because the other engine converts the model first, which takes longer than all else here.
        return clean_environment(**values, MODELS_DIR=self.place / "models", ENGINE="torch")

    def start(self, service: str) -> psutil.Process:
        """Start a service's command line."""
        command = [part.replace("${PORT:-8000}", "0") for part in command_of(service)]
        command = [sys.executable if part == "python" else part for part in command]
        if command[0] == "redis-server":
            at = command.index("6379")
            command[at : at + 1] = ["0", "--unixsocket", f"{self.place}/redis.sock", "--dir", str(self.place)]
            command[0] = redis_server()
        with (self.place / f"{service}.log").open("ab") as log:
            self._processes[service] = psutil.Popen(
                command,
                cwd=ROOT,
                env=self.environment(service),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._processes[service]

    def is_healthy(self, service: str) -> bool:
        """The service's health check, which must be a python command."""
        test = compose()["services"][service]["healthcheck"]["test"]
        command = [sys.executable if part == "python" else part for part in test[1:]]
        command = [part.replace("127.0.0.1:8000", self.address.removeprefix("http://")) for part in command]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(service), capture_output=True, timeout=30
        )
        return done.returncode == 0

    def stop(self) -> None:
        """SIGTERM to all, last started first; what does not listen is killed, and told of."""
        for name, process in reversed(self._processes.items()):
            family = [process, *process.children(recursive=True)] if process.is_running() else []
            if process.poll() is None:
                process.terminate()
            for left in psutil.wait_procs(family, timeout=30)[1]:
                left.kill()
                raise AssertionError(f"{name} did not end on SIGTERM: {self.logs()}")

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(
            f"--- {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in self.place.glob("*.log")
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stack-"))  # short: unix sockets
    make_model(folder / "models")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest, place: Path) -> Iterator[Stack]:
    with ExitStack() as cleanup:
        if request.param == "sqlite":
            url = f"sqlite:///{place}/data/service.sqlite3"
        else:
            found = postgres.binaries()
            if found is None:
                pytest.skip("no PostgreSQL here: Debian's package postgresql brings it")
            url = cleanup.enter_context(postgres.running(found))
        made = Stack(place, url)
        cleanup.callback(made.stop)
        yield made


def test_the_services_come_up_answer_and_stop(stack: Stack) -> None:
    for service in ("redis", "inference-worker", "training-worker", "api"):
        stack.start(service)
    try:
        until(lambda: get(f"{stack.address}/health/ready")[0] == 200, 180, "readiness")
        for service in ("api", "inference-worker", "training-worker"):
            until(lambda name=service: stack.is_healthy(name), 30, f"health of {service}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stack.logs()}") from None
    assert get(f"{stack.address}/v1/models")[0] == 401, "a key is asked for"
    status, job = post_image(stack.address, a_png(), KEY)
    assert status == 201 and job["status"] == "succeeded", job
    assert KEY not in stack.logs() and "p@ssword" not in stack.logs()
