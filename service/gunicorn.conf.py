"""gunicorn's options, each with its why. Start: gunicorn -c service/gunicorn.conf.py 'service.wsgi:create()'."""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import gunicorn.util  # type: ignore[import-untyped]

from service.launcher.die_with_parent import end_with_parent
from service.settings import ServiceSettings
from service.startup import prepare, refuse_unsafe_addresses
from service.web.lingering_close import linger
from service.web.unparsed_requests import write_problem
from service.web.uploads import Uploads, uploads_folder
from shared.contract.config import ConfigError
from shared.database.database import Database

try:
    _settings = ServiceSettings.from_env()
except ConfigError as error:
    sys.exit(f"error: {error}")

_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = [f"{_host}:{_settings.port}"]

# Threads, because a request mostly waits: for its body, then on BLPOP for the worker. One process, because the
# API needs about 2 ms of CPU a slice and Redis, the worker and the forward pass want the cores more; a second
# process costs 100 MB. WEB_PROCESSES is for machines with many cores.
worker_class = "gthread"
workers = _settings.web_processes
# Each waiting client holds one thread; more clients than threads wait in the kernel's queue.
threads = _settings.web_threads
# Kept-alive connections are allowed beyond the threads: they cost a file descriptor, no thread.
worker_connections = _settings.web_threads + 1000

# For gthread this is the heartbeat of the main loop, not a limit of a request.
timeout = 60
# On SIGTERM let requests end that wait for a worker (`wait` is at most 20 s).
graceful_timeout = 25
# Clients send slice after slice on one connection; longer than the idle limit of common proxies (15 to 60 s
# there, and the proxy must be the one to close first).
keepalive = 75

# A file in memory: the heartbeat touches it, and a slow disk would look like a dead worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Each worker makes its own connections; preloading would share sockets of Redis and database across a fork.
preload_app = False
# A control socket would be put into the home folder and stay there; the process manager does that job.
control_socket_disable = True
# The application writes one JSON line a request, without names of files; gunicorn's would hold the whole path.
accesslog = None
errorlog = "-"
loglevel = _settings.log_level
proc_name = "segmentation-api"
# A proxy in front is only believed by TRUSTED_PROXIES (werkzeug's ProxyFix counts hops); gunicorn itself would
# believe X-Forwarded-Proto of anything on loopback.
secure_scheme_headers: dict[str, str] = {}
# 100 headers of 8 kB are enough for every client we know.
limit_request_fields = 100


def on_starting(server: Any) -> None:
    """Prepare the database once, and refuse what is unsafe: whatever --bind says, in one sentence, and for good.

    A process that fails later is started again and again.
    """
    _prepare_metrics()
    try:
        refuse_unsafe_addresses(_settings, [address[0] for address in server.cfg.address if len(address) > 1])
        Uploads(uploads_folder(_settings.store.data_dir)).clear()  # here, where no request is under way yet
        database = Database(_settings.store.database_url)
        prepare(_settings, database)
        database.close()  # each process makes connections of its own
    except ConfigError as error:
        sys.exit(f"error: {error}")


def post_request(worker: Any, request: Any, environ: dict[str, Any], answer: Any) -> None:
    """Empty a socket that will be closed here, in this request's thread.

    gunicorn does it on its only accepting thread, where one slow client stops all others for 2 seconds.
    """
    if answer is not None and answer.should_close() and "gunicorn.socket" in environ:
        linger(environ["gunicorn.socket"])


def post_fork(server: Any, worker: Any) -> None:
    """End with the arbiter; and requests that do not parse get a problem document, where gunicorn would send HTML."""
    # SIGKILL: an orphan that ends gently holds the port for `graceful_timeout`, against the one that comes after it.
    end_with_parent(worker.ppid, signal.SIGKILL)
    gunicorn.util.write_error = write_problem


def post_worker_init(worker: Any) -> None:
    """Streams of events end when the worker is asked to stop; it would wait for each as long as `graceful_timeout`."""
    from service.container import EXTENSION

    streams = worker.wsgi.extensions[EXTENSION].presentation.run_events
    stop: Any = signal.getsignal(signal.SIGTERM)

    def end_streams_too(number: int, frame: Any) -> None:
        streams.close()
        stop(number, frame)

    signal.signal(signal.SIGTERM, end_streams_too)


def child_exit(server: Any, worker: Any) -> None:
    """Take the gauges of a process that ended out of the shared metrics."""
    if workers > 1:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """Leave no temporary file."""
    if workers > 1:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def _prepare_metrics() -> None:
    """Several processes add up their counters through files; old ones would be counted again."""
    if workers == 1:
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        return
    folder = _settings.store.data_dir / "run" / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
