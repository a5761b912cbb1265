"""The numbers of volumes as Markdown."""

from dataclasses import dataclass

from benchmarks.forward import Rate
from benchmarks.page import facts, table
from benchmarks.volume_files import Size
from benchmarks.volume_service import Beside, Done


@dataclass(frozen=True)
class Run:
    """All that was measured, in one run; single slices were sent beside DICOM volumes of the size `largest`."""

    machine: list[str]
    slices: str
    model: str
    engine: str
    bare: Rate
    done: list[Done]
    largest: Size
    beside: list[Beside]

    def ratio(self, done: Done) -> float:
        """Time a slice, from the first byte sent to the end of the job, of the bare forward's."""
        return done.total_s / done.size[0] * self.bare.per_s


def summary(run: Run) -> dict[str, float]:
    """What a person looks at first."""
    ratios = {f"a slice of {_named(done)} / bare forward": run.ratio(done) for done in run.done}
    peak = max(run.done, key=lambda done: done.memory.child)
    latencies = {}
    for one in run.beside:
        clients = f"{one.alone.clients} client{'s' * (one.alone.clients > 1)}"
        latencies[f"p50 beside a volume / alone, {clients}"] = one.beside.p50_ms / one.alone.p50_ms
        latencies[f"p95 beside a volume / alone, {clients}"] = one.beside.p95_ms / one.alone.p95_ms
    return {
        **ratios,
        "peak of the child (MiB)": peak.memory.child,
        "most that the worker grew by (MiB)": max(d.memory.worker - d.memory.before for d in run.done),
        **latencies,
    }


def markdown(run: Run) -> str:
    """The part of the page."""
    about = [
        *run.machine,
        f"Model {run.model}, engine {run.engine}; bare forward in this run: {1000 / run.bare.per_s:.1f} ms a slice in "
        f"batches of {run.bare.batch}",
        "volumes drawn by the benchmark: an ellipsoid of 12 bits with noise; DICOM as a zip of uncompressed images, "
        "NIfTI gzipped",
        f"single slices: {run.slices}",
    ]
    ratios = [[name, f"{value:.2f}"] for name, value in summary(run).items()]
    sections = [
        f"## Volumes\n\n{facts(about)}",
        f"### Ratios\n\n{table(['', 'measured'], ratios)}",
        _time(run),
        _memory(run),
        _beside(run),
    ]
    return "\n\n".join(sections)


def _time(run: Run) -> str:
    rows = []
    for done in run.done:
        times = done.timings_ms
        rows.append(
            [
                _named(done),
                f"{done.bytes / 2**20:.0f}",
                f"{done.upload_s:.1f}",
                f"{times.get('decode', 0) / 1000:.1f}",
                f"{times.get('forward', 0) / 1000:.1f}",
                f"{times.get('postprocess', 0) / 1000:.1f}",
                f"{done.total_s:.1f}",
                f"{done.total_s / done.size[0] * 1000:.1f}",
                f"{run.ratio(done):.2f}",
            ]
        )
    head = ["", "MiB sent", "upload", "read", "forward", "measure, write", "in all", "ms a slice", "of bare"]
    return (
        "### Time\n\nSeconds from the first byte sent until the job had ended and its files were there; upload, "
        "reading and so on are parts of it.\n\n" + table(head, rows)
    )


def _memory(run: Run) -> str:
    rows = [
        [
            _named(done),
            f"{_mib_of_voxels(done):.0f}",
            f"{done.memory.before:.0f}",
            f"{done.memory.worker:.0f}",
            f"{done.memory.child:.0f}",
        ]
        for done in run.done
    ]
    return "### Memory\n\nResident, MiB; pages of files that were looked into count.\n\n" + table(
        ["", "voxels at 16 bit", "worker before", "worker, peak", "child, peak"], rows
    )


def _beside(run: Run) -> str:
    rows = []
    for one in run.beside:
        for load, volume in ((one.alone, "no"), (one.beside, "yes")):
            rows.append(
                [
                    str(load.clients),
                    volume,
                    f"{load.per_s:.1f}",
                    f"{load.p50_ms:.1f}",
                    f"{load.p95_ms:.1f}",
                ]
            )
    size = " x ".join(map(str, run.largest))
    return f"### Single slices while a volume of {size} is segmented\n\n" + table(
        ["clients", "volume", "slices/s", "p50 ms", "p95 ms"], rows
    )


def _named(done: Done) -> str:
    return f"{done.name} {' x '.join(map(str, done.size))}"


def _mib_of_voxels(done: Done) -> float:
    depth, height, width = done.size
    return depth * height * width * 2 / 2**20
