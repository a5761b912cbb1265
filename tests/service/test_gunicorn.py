"""The API as it really runs: gunicorn and Redis as processes, requests over sockets."""

import base64
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.contract.messages import SegmentMessage
from shared.contract.names import Queue, done_key
from shared.database.database import Database
from shared.database.keys import Keys
from shared.database.migrate import upgrade
from shared.database.models import Models
from shared.database.workers import Workers
from shared.files.store import FileStore
from shared.jobs.segmentations import SegmentationJobs
from shared.jobs.training_runs import TrainingRuns
from tests.fakes.cards import card
from tests.fakes.launch import ROOT, clean_environment, until
from tests.fakes.queue import FakeWorker
from tests.fakes.redis_server import RedisServer
from tests.fakes.studies import queued_run
from tests.service.conftest import SLICE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MEGABYTE = bytes(1 << 20)
FORM = "multipart/form-data; boundary=x"
BODY = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + SLICE + b"\r\n--x--\r\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """gunicorn with a Redis of its own, and a worker thread that takes messages as Celery would."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder, self.port = folder, free_port()
        self.redis = RedisServer(folder)
        self.env = clean_environment(
            **{
                "DATA_DIR": folder / "data",
                "MODELS_DIR": folder / "models",
                "REDIS_URL": self.redis.url,
                "PORT": self.port,
                "HOME": folder / "home",
                "WEB_THREADS": 16,
                **settings,
            }
        )
        self.log = folder / "api.log"
        self._ended = threading.Event()

    def start(self) -> "Running":
        self.redis.start()
        self.database = Database(f"sqlite:///{self.folder / 'data' / 'service.sqlite3'}")
        upgrade(self.database)
        models = Models(self.database)
        models.register(card("lgg-unet"), "shipped:lgg-unet")
        models.set_alias("default", "lgg-unet")
        self._worker = threading.Thread(target=self._work)
        self._worker.start()
        return self.launch()

    def launch(self) -> "Running":
        """Start gunicorn; return when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py", "service.wsgi:create()"],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(lambda: self._status("/health/live") == 200 or self.process.poll() is not None, 60, "gunicorn")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def stop(self) -> None:
        self._ended.set()
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._worker.join()
        self.redis.stop()
        self.database.close()

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, Any]:
        """Status, headers and JSON (or bytes) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
            )
            answer = connection.getresponse()
            data = answer.read()
            is_json = "json" in (answer.getheader("Content-Type") or "")
            return answer.status, answer.headers, json.loads(data) if is_json else data
        finally:
            connection.close()

    def segment(self, **headers: str) -> tuple[int, Any, Any]:
        return self.request("POST", "/v1/segmentations", BODY, Content_Type=FORM, **headers)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(30)
        return connection

    def _status(self, path: str) -> int:
        try:
            return self.request("GET", path)[0]
        except OSError:
            return 0

    def _work(self) -> None:
        rows, workers = SegmentationJobs(self.database), Workers(self.database)
        worker = FakeWorker(rows, FileStore(self.folder / "data" / "files"))
        while not self._ended.is_set():
            workers.beat("thread", Queue.INFERENCE, "cpu", "fake", ["lgg-unet"], "1")
            try:
                with self.redis.client() as client:
                    taken = client.brpop([Queue.INFERENCE], timeout=1)
                    if taken is None:
                        continue
                    named = json.loads(base64.b64decode(json.loads(taken[1])["body"]))[1]
                    said = worker.work(SegmentMessage.from_json(named))
                    if said is not None:
                        client.rpush(done_key(named["job_id"]), json.dumps(said))
            except OSError:
                self._ended.wait(0.2)
            except Exception as error:  # Redis is away, as some tests want it
                if type(error).__module__.split(".")[0] != "redis":
                    raise
                self._ended.wait(0.2)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("api")).start()
    yield running
    running.stop()


def head(length: str, path: str = "/v1/segmentations") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n{length}\r\n\r\n".encode()


def ended(process: psutil.Process) -> bool:
    """Whether it does nothing any more; who inherited it may take its time to notice."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def first_line(connection: socket.socket) -> bytes:
    return connection.recv(65536).partition(b"\r\n")[0]


def test_a_slice_goes_through_redis_and_back(running: Running) -> None:
    status, headers, body = running.segment(X_Request_ID="through.all-1")
    assert status == 201 and body["status"] == "succeeded"
    assert headers["X-Request-ID"] == "through.all-1"
    assert running.request("GET", headers["Location"])[2] == body
    assert running.request("GET", body["links"]["overlay"])[2].startswith(b"\x89PNG")


def test_many_at_once_all_get_their_own(running: Running) -> None:
    statuses: list[int] = []
    ids: list[str] = []

    def one() -> None:
        status, _, body = running.segment()
        statuses.append(status)
        ids.append(body["id"])

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 40 and len(set(ids)) == 40


@pytest.mark.parametrize("path", ["/v1/segmentations", "/v1/nothing", "/segment"])
def test_413_reaches_a_client_that_sends_all_before_it_reads(running: Running, path: str) -> None:
    length = 100 * len(MEGABYTE)
    with running.connect() as connection:
        connection.sendall(head(f"Content-Length: {length}", path))
        for _ in range(100):
            connection.sendall(MEGABYTE)
        expected = b"404" if path == "/v1/nothing" else b"413"
        assert first_line(connection).split()[1] == expected
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert first_line(connection).split()[1] == b"200"  # nothing of the body was taken for a request


def test_413_comes_while_the_client_is_still_sending(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(head(f"Content-Length: {100 * len(MEGABYTE)}") + MEGABYTE)
        assert first_line(connection).split()[1] == b"413"


def test_a_chunked_body_without_end_is_413_too(running: Running) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    with running.connect() as connection:
        connection.sendall(head("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(part), part))
        for _ in range(100):
            connection.sendall(b"%x\r\n%s\r\n" % (len(MEGABYTE), MEGABYTE))
        connection.sendall(b"0\r\n\r\n")
        assert first_line(connection).split()[1] == b"413"


def test_a_chunked_form_is_read(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(head("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        assert first_line(connection).split()[1] == b"201"


def test_a_client_that_asks_first_is_told_at_once(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(head(f"Content-Length: {100 * len(MEGABYTE)}\r\nExpect: 100-continue"))
        assert first_line(connection).split()[1] in (b"413", b"100")


@pytest.mark.parametrize(
    "body",
    [b"", b"--x\r\n", BODY[:-40], b"ZZ\r\nnot a chunk", b"5\r\nabc"],
    ids=["none", "cut", "short", "size", "chunk"],
)
def test_a_body_that_breaks_off_is_400(running: Running, body: bytes) -> None:
    chunked = body.startswith((b"ZZ", b"5"))
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY) if body else 0}"
    with running.connect() as connection:
        connection.sendall(head(length) + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
        assert answer.split()[1] == b"400" and b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"NOT HTTP\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gnu\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n", b"417"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
    ],
)
def test_what_is_not_http_gets_a_problem_too(running: Running, raw: bytes, status: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(raw)
        answer = connection.recv(65536)
        assert answer.split()[1] == status
        assert b"application/problem+json" in answer and b"X-Request-ID" in answer


def test_a_client_that_does_not_close_stops_no_others(running: Running) -> None:
    with running.connect() as slow:
        slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert first_line(slow).split()[1] == b"200"
        started = time.monotonic()
        assert running.request("GET", "/health/live")[0] == 200
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("way", ["stop", "freeze"])
def test_redis_may_go_and_come_back_without_a_restart(running: Running, way: str) -> None:
    getattr(running.redis, way)()
    try:
        started = time.monotonic()
        status, headers, body = running.segment()
        assert (status, body["code"]) == (503, "queue_unavailable") and headers["Retry-After"]
        assert time.monotonic() - started < 6
        status, _, body = running.request("GET", "/health/ready")
        assert status == 503 and not body["checks"]["redis"]["ok"] and body["checks"]["database"]["ok"]
    finally:
        running.redis.start() if way == "stop" else running.redis.thaw()
    assert running.segment()[0] == 201


def test_there_is_no_torch_in_the_process(running: Running) -> None:
    for process in [psutil.Process(running.process.pid), *psutil.Process(running.process.pid).children()]:
        loaded = [part.path for part in process.memory_maps()]
        assert not [path for path in loaded if "torch" in path or "openvino" in path]


def test_log_lines_are_json_and_hold_the_request_id(running: Running) -> None:
    running.segment(X_Request_ID="look-for-me")
    lines = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request_id") == "look-for-me"]
    assert line["route"] == "/v1/segmentations" and line["status"] == 201


def test_several_processes_add_up_and_leave_nothing_behind(tmp_path: Path) -> None:
    running = Running(tmp_path, WEB_PROCESSES=2).start()
    try:
        for _ in range(20):
            assert running.request("GET", "/health/live")[0] == 200
        text = running.request("GET", "/metrics")[2].decode()
        counted = [
            line for line in text.splitlines() if line.startswith("http_requests_total") and "live" in line
        ]
        assert sum(float(line.rsplit(" ", 1)[1]) for line in counted) >= 20
        assert running.segment()[0] == 201
    finally:
        running.stop()
    assert not (tmp_path / "data" / "run" / "metrics").exists()
    assert not (tmp_path / "home").exists()  # gunicorn would put a control socket there


def test_events_arrive_as_they_happen_and_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    running = Running(tmp_path).start()
    try:
        runs = TrainingRuns(running.database)
        run = queued_run(runs)
        with running.connect() as client, client.makefile("rb") as stream:
            client.sendall(
                f"GET /v1/training-runs/{run.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            assert next(line for line in stream if line.startswith(b"data:")).endswith(
                b'"status":"queued"}\n'
            )
            claim = runs.claim_next("worker", 60)
            assert claim is not None
            assert b'"running"' in next(line for line in stream if line.startswith(b"data:"))
            started = time.monotonic()
            running.process.terminate()
            running.process.wait(40)
            assert time.monotonic() - started < 10  # the stream alone would last 25 s
    finally:
        running.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word on a parent's death needs Linux")
def test_processes_end_with_an_arbiter_that_is_killed_and_the_next_one_has_the_port(tmp_path: Path) -> None:
    running = Running(tmp_path, WEB_PROCESSES=2)
    running.start()
    try:
        workers = psutil.Process(running.process.pid).children()
        with running.connect() as kept:  # an open connection: a gentle end would wait for it
            kept.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert first_line(kept).split()[1] == b"200"
            running.process.kill()
            running.process.wait()
            assert len(workers) == 2
            until(lambda: all(map(ended, workers)), 3, "the end of both processes")
            running.launch()
        assert running.segment()[0] == 201
    finally:
        running.stop()


def test_a_start_that_strangers_reach_needs_a_key(tmp_path: Path) -> None:
    running = Running(tmp_path, HOST="0.0.0.0")
    command = [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py", "service.wsgi:create()"]
    refused = subprocess.run(command, cwd=ROOT, env=running.env, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0 and "keys create" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
    database = Database(f"sqlite:///{tmp_path / 'data' / 'service.sqlite3'}")
    _, secret = Keys(database).create("ward", ["infer"])
    database.close()
    running.start()
    try:
        assert running.segment()[0] == 401
        assert running.segment(Authorization=f"Bearer {secret}")[0] == 201
    finally:
        running.stop()


def test_a_bind_that_goes_past_the_settings_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py", "--bind", "0.0.0.0:0"]
    done = subprocess.run(
        [*command, "service.wsgi:create()"],
        cwd=ROOT,
        env=Running(tmp_path).env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0 and "asks for no key" in done.stdout + done.stderr


def test_wrong_settings_are_said_in_sentences(tmp_path: Path) -> None:
    env = Running(tmp_path, MAX_UPLOAD_BYTES="much", WEB_THREADS=0).env
    command = [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py", "service.wsgi:create()"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert (
        "MAX_UPLOAD_BYTES" in done.stderr and "WEB_THREADS" in done.stderr and "Traceback" not in done.stderr
    )
