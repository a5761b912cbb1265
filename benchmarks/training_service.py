"""Training as its users meet it: the time to the first step, the memory, and what clinicians feel of it meanwhile."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import http_load
from benchmarks.embedded import ROOT, Service, running

POLL_S = 0.1
PATIENCE_S = 1800.0
RECIPE = "lgg-unet"
# Of a large study a part will do: no network for the encoder's weights, few patients to decode.
FIELDS: dict[str, Any] = {"recipe": RECIPE, "encoder_weights": None, "limit": {"patients": 12}}


@dataclass(frozen=True)
class Start:
    """Seconds from POST /v1/training-runs to each of them; what imports take, in processes of their own."""

    claimed: float
    process: float
    loaded: float
    stepped: float
    torch: float
    imports: float


@dataclass
class Memory:
    """Peaks in MiB over a whole run, until its model is there. Pages that processes share count in each RSS."""

    child: float = 0.0
    feeding: float = 0.0
    both: float = 0.0  # of child and feeding processes at the same time
    proportional: float = 0.0  # likewise, shared pages counted once


@dataclass(frozen=True)
class Training:
    """What was measured through a running service."""

    start: Start
    memory: Memory
    clients: list[int]
    alone: list[http_load.Load]
    beside: list[http_load.Load]
    per_s: list[float] = field(
        default_factory=list
    )  # slices a second that training did: alone, then with each load


def measure(
    models: Path, device: str, files: list[bytes], data: Path, clients: Sequence[int], seconds: float
) -> Training:
    """Start the service, do a short run to its end, then load it without and with a long run."""
    imports = [_import_s(name) for name in ("torch", "trainer.training.runs.child")]
    data = data.resolve()
    with running(models, device, DATASETS_DIR=str(data.parent)) as service:
        dataset = _dataset(service, data.name)
        start, memory = _short_run(service, dataset, imports)
        http_load.measure(service, files, 4, min(2.0, seconds))
        alone = [http_load.measure(service, files, number, seconds) for number in clients]
        run = _post(service, dataset, epochs=10_000, validate_every=10_000)
        _until(service, run, _stepped)
        rates, beside = [_rate(service, run, lambda: time.sleep(seconds))], []
        for number in clients:
            rates.append(
                _rate(
                    service,
                    run,
                    lambda n=number: beside.append(http_load.measure(service, files, n, seconds)),
                )
            )
        service.call("POST", f"{run}/cancel")
        _until(service, run, lambda now: now["status"] == "cancelled")
    return Training(start, memory, list(clients), alone, beside, rates)


def _dataset(service: Service, folder: str) -> str:
    made = service.call("POST", "/v1/datasets", {"name": "benchmark", "folder": folder})
    _until(service, f"/v1/datasets/{made['id']}", lambda now: now["status"] == "ready")
    return str(made["id"])


def _post(service: Service, dataset: str, **fields: Any) -> str:
    """The path of a new run."""
    made = service.call(
        "POST", "/v1/training-runs", {**FIELDS, "name": "benchmark", "dataset": dataset, **fields}
    )
    return f"/v1/training-runs/{made['id']}"


def _short_run(service: Service, dataset: str, imports: list[float]) -> tuple[Start, Memory]:
    memory, ended = Memory(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(service, memory, ended))
    watcher.start()
    try:
        posted = time.perf_counter()
        limit = {**FIELDS["limit"], "steps_per_epoch": 8}
        run = _post(service, dataset, epochs=2, validate_every=1, limit=limit)
        marks = [_until(service, run, reached) - posted for reached in MARKS]
        _until(service, run, lambda now: now["status"] == "succeeded")
    finally:
        ended.set()
        watcher.join()
    return Start(*marks, *imports), memory


def _claimed(run: dict[str, Any]) -> bool:
    return run["status"] != "queued"


def _has_process(run: dict[str, Any]) -> bool:
    """Only the process knows how many steps a stage has."""
    return _claimed(run) and run["progress"].get("steps") is not None


def _loaded(run: dict[str, Any]) -> bool:
    return _has_process(run) and run["progress"]["stage"] != "loading"


def _stepped(run: dict[str, Any]) -> bool:
    return _loaded(run) and (run["progress"]["step"] > 0 or run["progress"]["epoch"] > 0)


# What is on the way to the first step, in the order of `Start`.
MARKS = (_claimed, _has_process, _loaded, _stepped)


def _until(service: Service, path: str, reached: Callable[[dict[str, Any]], bool]) -> float:
    """When a resource first looked like this."""
    deadline = time.perf_counter() + PATIENCE_S
    while not reached(now := service.call("GET", path)):
        if now["status"] == "failed" or time.perf_counter() > deadline:
            raise SystemExit(
                f"error: {path} is {now['status']}: {now.get('error')} {now.get('findings', '')}"
            )
        time.sleep(POLL_S)
    return time.perf_counter()


def _rate(service: Service, run: str, meanwhile: Callable[[], object]) -> float:
    """Slices a second that the run trains on."""
    before, started = service.call("GET", run), time.perf_counter()
    meanwhile()
    after, ended = service.call("GET", run), time.perf_counter()
    if after["status"] != "running":
        raise SystemExit(f"error: the training run is {after['status']}: {after['error']}")
    steps = after["progress"]["step"] - before["progress"]["step"]
    return float(steps * after["specification"]["batch_size"] / (ended - started))


def _watch(service: Service, memory: Memory, ended: threading.Event) -> None:
    while not ended.wait(POLL_S):
        for process in service.launcher.children(recursive=True):
            try:
                # A forked feeding process has the same command line; it is a child's child.
                if "trainer.training.runs.child" in process.cmdline():
                    _look(process, memory)
                    break
            except psutil.Error:
                continue


def _look(process: psutil.Process, memory: Memory) -> None:
    feeding = process.children(recursive=True)
    own, others = _mib(process, "rss"), sum(_mib(one, "rss") for one in feeding)
    memory.child, memory.feeding = max(memory.child, own), max(memory.feeding, others)
    memory.both = max(memory.both, own + others)
    memory.proportional = max(memory.proportional, sum(_mib(one, "pss") for one in [process, *feeding]))


def _mib(process: psutil.Process, kind: str) -> float:
    try:
        info = process.memory_info() if kind == "rss" else process.memory_full_info()
        return float(getattr(info, kind)) / 2**20
    except psutil.Error:  # it has just ended
        return 0.0


def _import_s(module: str) -> float:
    """Seconds of a process that imports this and nothing else; the files were read before."""
    taken = []
    for _ in range(4):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken[1:]))
