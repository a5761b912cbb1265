"""The network alone, and behind the micro-batcher: what everything else is held against."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from trainer.engines.engine import Engine, EngineOutput
from trainer.inference.batcher import Batcher


@dataclass(frozen=True)
class Rate:
    """Slices a second, milliseconds of processor time a slice, median milliseconds a call of `batch` slices."""

    batch: int
    per_s: float
    cpu_ms: float
    call_ms: float


def bare(engine: Engine, inputs: Sequence[np.ndarray], batches: Sequence[int], seconds: float) -> list[Rate]:
    """The engine called in a loop, nothing around it, for each batch size."""
    usual = engine.max_batch
    try:
        return [_bare(engine, inputs, batch, seconds) for batch in batches]
    finally:
        engine.max_batch = usual


def batched(engine: Engine, inputs: Sequence[np.ndarray], seconds: float) -> Rate:
    """Single slices through the worker's batcher, as many waiting as it takes."""

    def run(items: list[np.ndarray]) -> list[EngineOutput | Exception]:
        output = engine.predict(items[0][None] if len(items) == 1 else np.stack(items))
        return [EngineOutput(*arrays) for arrays in zip(*output, strict=True)]

    batcher: Batcher[np.ndarray, EngineOutput] = Batcher(
        "benchmark", run, max_batch=engine.max_batch, max_waiting=16
    )
    batcher.start()
    # Filled before the clock starts: from then on one slice goes in for each that comes out.
    waiting: deque[Future[EngineOutput]] = deque(
        batcher.future(inputs[number % len(inputs)]) for number in range(24)
    )

    def step(number: int) -> int:
        waiting.append(batcher.future(inputs[number % len(inputs)]))
        waiting.popleft().result()
        return 1

    rate = _rate(step, engine.max_batch, seconds)
    batcher.close(30)
    return rate


def best(rates: Sequence[Rate]) -> Rate:
    """The one with the most slices a second."""
    return max(rates, key=lambda rate: rate.per_s)


def _bare(engine: Engine, inputs: Sequence[np.ndarray], batch: int, seconds: float) -> Rate:
    engine.max_batch = batch  # one pass a call: the engine would cut larger batches
    stacks = [np.stack([inputs[(start + i) % len(inputs)] for i in range(batch)]) for start in range(8)]
    engine.predict(stacks[0])

    def step(number: int) -> int:
        engine.predict(stacks[number % len(stacks)])
        return batch

    return _rate(step, batch, seconds)


def _rate(step: Callable[[int], int], batch: int, seconds: float) -> Rate:
    done, number, calls = 0, 0, []
    cpu, started = time.process_time(), time.perf_counter()
    while (now := time.perf_counter()) - started < seconds:
        done += step(number)
        calls.append(time.perf_counter() - now)
        number += 1
    wall = time.perf_counter() - started
    return Rate(
        batch, done / wall, (time.process_time() - cpu) * 1000 / max(done, 1), float(np.median(calls)) * 1000
    )
