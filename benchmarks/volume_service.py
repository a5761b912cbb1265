"""Volumes as their users meet them: time and memory of each, and what single slices feel of one meanwhile."""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks import http_load
from benchmarks.embedded import Service
from benchmarks.volume_files import Size

POLL_S = 0.1
PATIENCE_S = 1800.0
_BOUNDARY = "benchmark-7c2e91"
WORKER, CHILD = "-Q inference", "trainer.volumes.child"


@dataclass
class Memory:
    """Peaks of the resident memory in MiB: of the worker that has the network, and of the child that reads and writes.

    `before` is the worker's when the volume was sent.
    """

    before: float = 0.0
    worker: float = 0.0
    child: float = 0.0


@dataclass(frozen=True)
class Done:
    """One volume: seconds from the first byte sent to the end, of which the upload took `upload_s`."""

    name: str
    size: Size
    bytes: int
    upload_s: float
    total_s: float
    timings_ms: dict[str, float]
    memory: Memory


@dataclass(frozen=True)
class Beside:
    """Single slices alone, and while volumes are segmented."""

    alone: http_load.Load
    beside: http_load.Load


def volume(service: Service, name: str, size: Size, file: bytes) -> Done:
    """Send it, wait for its end."""
    memory, ended = Memory(), threading.Event()
    memory.before = _mib(_worker(service))
    watcher = threading.Thread(target=_watch, args=(service, memory, ended))
    watcher.start()
    try:
        started = time.perf_counter()
        path = post(service, file)
        uploaded = time.perf_counter()
        told = until_ended(service, path)
        total = time.perf_counter() - started
    finally:
        ended.set()
        watcher.join()
    return Done(name, size, len(file), uploaded - started, total, told["timings_ms"], memory)


def beside(
    service: Service, slices: Sequence[bytes], file: bytes, clients: Sequence[int], seconds: float
) -> list[Beside]:
    """Each number of clients for so long, without and with a volume under way all the time."""
    found = []
    for number in clients:
        alone = http_load.measure(service, slices, number, seconds)
        # The second begins when the first ends.
        paths = [post(service, file) for _ in range(2)]
        _until_passing(service, paths[0])
        meanwhile = http_load.measure(service, slices, number, seconds)
        if _get(service, paths[1])["status"] not in ("queued", "running"):
            raise SystemExit("error: the volumes had ended before the clients had: give fewer --seconds")
        for path in paths:
            service.call("DELETE", path)
        _until_free(service)
        found.append(Beside(alone, meanwhile))
    return found


def post(service: Service, file: bytes) -> str:
    """The path of its job; SystemExit where it is not accepted."""
    # An answer before the end: what is waited for is asked for.
    part = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{part}"wait"\r\n\r\n0\r\n{part}"image"; filename="volume"\r\n\r\n'
    body = head.encode() + file + f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection = http.client.HTTPConnection(service.host, service.port, timeout=600)
    try:
        connection.request("POST", "/v1/segmentations", body, kind)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status not in (201, 202):
        raise SystemExit(f"error: POST /v1/segmentations: {answer.status} {text[:500]!r}")
    return f"/v1/segmentations/{json.loads(text)['id']}"


def until_ended(service: Service, path: str) -> dict[str, Any]:
    """The job when it has succeeded; SystemExit where it has not."""
    told = _until(service, path, lambda now: now["status"] not in ("queued", "running"))
    if told["status"] != "succeeded":
        raise SystemExit(f"error: {path} is {told['status']}: {told['error']}")
    return told


def _get(service: Service, path: str) -> dict[str, Any]:
    # The mask of all slices is left out: it would be sent and parsed with each look.
    return service.call("GET", f"{path}?mask_format=none")


def _until_passing(service: Service, path: str) -> None:
    """Its slices go through the network: a fifth of the progress is reading."""
    _until(service, path, lambda now: (now.get("progress") or 0) > 0.2 or now["status"] == "failed")


def _until_free(service: Service) -> None:
    """The child of a deleted job is gone."""
    deadline = time.perf_counter() + PATIENCE_S
    while any(CHILD in _words(one) for one in service.launcher.children(recursive=True)):
        if time.perf_counter() > deadline:
            raise SystemExit("error: a deleted volume is still worked on")
        time.sleep(POLL_S)


def _until(service: Service, path: str, reached: Any) -> dict[str, Any]:
    deadline = time.perf_counter() + PATIENCE_S
    while not reached(now := _get(service, path)):
        if time.perf_counter() > deadline:
            raise SystemExit(f"error: {path} is still {now['status']}")
        time.sleep(POLL_S)
    return now


def _watch(service: Service, memory: Memory, ended: threading.Event) -> None:
    worker = _worker(service)
    while not ended.wait(POLL_S):
        memory.worker = max(memory.worker, _mib(worker))
        for process in worker.children(recursive=True):
            if CHILD in _words(process):
                memory.child = max(memory.child, _mib(process))


def _worker(service: Service) -> psutil.Process:
    for process in service.launcher.children(recursive=True):
        if WORKER in _words(process):
            return process
    raise SystemExit("error: there is no inference worker")


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


def _mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0
