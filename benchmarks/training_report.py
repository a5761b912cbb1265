"""The numbers of training as Markdown."""

from dataclasses import dataclass

from benchmarks.http_load import Load
from benchmarks.page import facts, table
from benchmarks.training_loop import Loop
from benchmarks.training_service import Training

TARGET = "Target: the loop at least 0.95 of the bare step."


@dataclass(frozen=True)
class Run:
    """All that was measured, in one run."""

    machine: list[str]
    data: str
    recipe: str
    loop: Loop
    service: Training


def summary(run: Run) -> dict[str, float]:
    """What a person looks at first."""
    return {
        "training loop / bare step": run.loop.ratio(run.loop.whole_s),
        "first step after POST (s)": run.service.start.stepped,
        "of which importing torch (s)": run.service.start.torch,
        "peak memory, shared pages once (MiB)": run.service.memory.proportional,
        **{
            f"p95 beside training / alone, {alone.clients} clients": beside.p95_ms / alone.p95_ms
            for alone, beside in zip(run.service.alone, run.service.beside, strict=True)
        },
    }


def markdown(run: Run) -> str:
    """The part of the page."""
    loop = run.loop
    about = [
        *run.machine,
        run.data,
        f"{run.recipe}: batches of {loop.batch}, {loop.side} x {loop.side} pixels, {loop.threads} threads",
    ]
    ratios = [[name, f"{value:.2f}"] for name, value in summary(run).items()]
    sections = [
        f"## Training\n\n{facts(about)}",
        f"### Ratios\n\n{table(['', 'measured'], ratios)}\n\n{TARGET}",
        _loop(loop),
        _start(run.service),
        _memory(run.service),
        _beside(run.service),
    ]
    return "\n\n".join(sections)


def _loop(loop: Loop) -> str:
    rows = [
        [name, f"{loop.per_s(seconds):.1f}", f"{loop.ratio(seconds):.3f}"]
        for name, seconds in (
            ("bare: forward, loss, backward, optimizer; batches in memory", loop.bare_s),
            ("the loop, batches in memory", loop.memory_s),
            ("the loop with its feed", loop.whole_s),
        )
    ]
    step_ms = loop.batch / loop.per_s(loop.bare_s) * 1000
    # The feeding process takes its time from the same cores, unless there are some to spare.
    augment_ms = loop.augment_cpu_ms * loop.batch / loop.threads
    parts = [("average of the weights", loop.ema_ms), ("clipping of the gradients", loop.clip_ms)]
    parts.append(("augmentation, on all cores", augment_ms))
    rest_ms = loop.batch / loop.per_s(loop.whole_s) * 1000 - step_ms - sum(ms for _, ms in parts)
    parts.append(("the rest: start of the feeding process, waiting for it, noise", rest_ms))
    shares = [[name, f"{ms:.1f}", f"{ms / step_ms:+.3f}"] for name, ms in parts]
    return (
        f"### The loop\n\nRounds of {loop.steps} steps, taking turns; the ratio is the median of "
        f"{len(loop.bare_s)} rounds' own.\n\n"
        + table(["", "slices/s", "of bare"], rows)
        + f"\n\nA bare step takes {step_ms:.0f} ms. What the loop does beside it:\n\n"
        + table(["", "ms a step", "of the bare step"], shares)
    )


def _start(service: Training) -> str:
    start = service.start
    rows = [
        ["a worker has it", start.claimed],
        ["its process is up", start.process],
        ["slices decoded, network built", start.loaded],
        ["the first step is done", start.stepped],
    ]
    return (
        "### From POST to the first step\n\n"
        + table(["", "s after POST"], [[str(name), f"{seconds:.2f}"] for name, seconds in rows])
        + f"\n\nBy itself `import torch` takes {start.torch:.2f} s, all that the process imports {start.imports:.2f} s."
    )


def _memory(service: Training) -> str:
    memory = service.memory
    rows = [
        ["training process", memory.child],
        ["its feeding processes", memory.feeding],
        ["both at the same time", memory.both],
        ["both, shared pages counted once (PSS)", memory.proportional],
    ]
    head = ["", "peak MiB"]
    return "### Memory of a run\n\nResident, from its start until its model is there.\n\n" + table(
        head, [[str(name), f"{mib:.0f}"] for name, mib in rows]
    )


def _beside(service: Training) -> str:
    rows = [["0", "yes", "-", "-", f"{service.per_s[0]:.1f}"]]
    pairs = zip(service.alone, service.beside, service.per_s[1:], strict=True)
    for alone, beside, per_s in pairs:
        rows += [_row(alone, "no", "-"), _row(beside, "yes", f"{per_s:.1f}")]
    return (
        "### `POST /v1/segmentations` while a run goes on\n\nOn the same machine, `TRAINING_NICE` as it comes.\n\n"
        + table(["clients", "training", "p50 ms", "p95 ms", "training slices/s"], rows)
    )


def _row(load: Load, training: str, per_s: str) -> list[str]:
    return [str(load.clients), training, f"{load.p50_ms:.1f}", f"{load.p95_ms:.1f}", per_s]
