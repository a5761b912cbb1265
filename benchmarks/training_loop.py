"""The training loop beside its bare step, taking turns in one run, so that whatever disturbs the machine hits all."""

import copy
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from shared import catalog
from shared.ml.checkpoint import build_network
from shared.recipe import Recipe
from trainer.training.dataset import open_dataset
from trainer.training.loop import Batch, State, new_state, train
from trainer.training.run import Feed
from trainer.training.slices import prepare


@dataclass(frozen=True)
class Loop:
    """Wall seconds of `steps` steps of `batch` slices, one entry a round; the parts in milliseconds a step."""

    batch: int
    side: int
    steps: int
    threads: int
    bare_s: list[float]
    memory_s: list[float]  # the project's loop, its batches in memory
    whole_s: list[float]  # the project's loop with its feed
    ema_ms: float
    clip_ms: float
    augment_cpu_ms: float  # a slice

    def per_s(self, seconds: list[float]) -> float:
        """Slices a second, in the median round."""
        return self.steps * self.batch / float(np.median(seconds))

    def ratio(self, seconds: list[float]) -> float:
        """Of the bare step's speed: the median of the rounds' own ratios."""
        return float(np.median(np.divide(self.bare_s, seconds)))


def measure(
    recipe: Recipe, data: Path, device: torch.device, steps: int, rounds: int, threads: int = 0
) -> Loop:
    """Each round does `steps` steps three times: bare, with batches in memory, with the feed of a real epoch.

    Validation is left out, and so is what a round before the first would warm up.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads or os.cpu_count() or 1)  # as in a training process
    try:
        return _measure(recipe, data, device, steps, rounds)
    finally:
        torch.set_num_threads(before)


def _measure(recipe: Recipe, data: Path, device: torch.device, steps: int, rounds: int) -> Loop:
    recipe = replace(recipe, epochs=1, limit=replace(recipe.limit, steps_per_epoch=steps))
    with TemporaryDirectory() as folder:
        dataset = open_dataset(recipe, data, {}, pseudonyms=True)
        slices = prepare(dataset, recipe.preprocessing, Path(folder))
        feed = Feed(recipe, slices, np.arange(len(slices.patients)))
        batches = [batch for batch, _ in zip(feed.batches(0, 0), range(8), strict=False)]
        torch.manual_seed(recipe.seed)
        network = build_network(recipe.architecture, recipe.encoder, recipe.in_channels, recipe.classes)
        states = [new_state(copy.deepcopy(network), recipe, device) for _ in range(3)]
        steps = feed.steps
        turns: list[Callable[[], None]] = [
            lambda: _bare(states[0], batches, recipe, device, steps),
            lambda: _loop(states[1], lambda epoch, first: _again(batches, steps), steps, recipe, device),
            lambda: _loop(states[2], feed.batches, steps, recipe, device),
        ]
        taken = [[_timed(turn, device) for turn in turns] for _ in range(rounds + 1)][1:]
        augment = _augment_cpu_ms(feed)
    return Loop(
        recipe.batch_size,
        batches[0][0].shape[-1],
        steps,
        torch.get_num_threads(),
        *([one[turn] for one in taken] for turn in range(3)),
        ema_ms=_part_ms(lambda: states[1].ema.update(states[1].network, 10_000), device),
        clip_ms=_part_ms(lambda: nn.utils.clip_grad_norm_(states[1].network.parameters(), 1e9), device),
        augment_cpu_ms=augment,
    )


def _bare(state: State, batches: list[Batch], recipe: Recipe, device: torch.device, steps: int) -> None:
    """Forward, loss, backward, optimizer: what no training can do without."""
    loss_function = catalog.load(catalog.LOSSES, recipe.loss, "loss")(**recipe.loss_options)
    state.network.train()
    for images, masks in _again(batches, steps):
        images, masks = images.to(device), masks.to(device)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = state.network(images)
        loss: torch.Tensor = loss_function(logits, masks)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        state.optimizer.step()


def _loop(
    state: State,
    batches: Callable[[int, int], Iterable[Batch]],
    steps: int,
    recipe: Recipe,
    device: torch.device,
) -> None:
    state.epoch = state.step = 0
    train(state, batches, steps, recipe, device, lambda state, report: None)


def _again(batches: list[Batch], steps: int) -> Iterable[Batch]:
    return (batches[step % len(batches)] for step in range(steps))


def _timed(turn: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    turn()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _part_ms(part: Callable[[], object], device: torch.device) -> float:
    return float(np.median([_timed(part, device) for _ in range(20)])) * 1000


def _augment_cpu_ms(feed: Feed) -> float:
    """Processor milliseconds that one slice costs a feeding process."""
    data = feed.items(0, 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a feeding process
    try:
        started, count = time.process_time(), min(len(data), 64)
        for place in range(count):
            data[place]
        return (time.process_time() - started) * 1000 / count
    finally:
        torch.set_num_threads(threads)
