"""The numbers of serving as Markdown."""

from dataclasses import dataclass

from benchmarks.forward import Rate, best
from benchmarks.http_load import Load
from benchmarks.page import facts, table

TARGETS = (
    "Targets on two cores: batcher at least 0.95 of the bare forward, HTTP at least 0.75, p50 with one client at"
    " most 10 ms above the forward, at most 5 CPU-ms a slice of overhead."
)


@dataclass(frozen=True)
class Run:
    """All that was measured, in one run."""

    machine: list[str]
    slices: str
    model: str
    engine: str
    bare: list[Rate]
    batcher: Rate
    worker: Rate
    http: list[Load]

    @property
    def ceiling(self) -> Rate:
        """The bare forward at its best batch size."""
        return best(self.bare)

    @property
    def single(self) -> Rate:
        """The bare forward of one slice."""
        return next(rate for rate in self.bare if rate.batch == 1)

    def overhead_ms(self, load: Load) -> float:
        """CPU-ms a slice of API, worker and Redis beyond the bare forward's."""
        return sum(load.cpu_ms[role] for role in ("API", "worker", "Redis")) - self.ceiling.cpu_ms


def markdown(run: Run) -> str:
    """The part of the page."""
    sections = [_head(run), _ratios(run), _forward(run), _http(run), _where(run)]
    return "\n\n".join(sections)


def summary(run: Run) -> dict[str, float]:
    """The four numbers that have targets."""
    fastest, alone = max(run.http, key=lambda load: load.per_s), run.http[0]
    return {
        "batcher / bare forward": run.batcher.per_s / run.ceiling.per_s,
        "HTTP / bare forward": fastest.per_s / run.ceiling.per_s,
        "p50 at one client - bare forward of one slice (ms)": alone.p50_ms - run.single.call_ms,
        "overhead at the best HTTP rate (CPU-ms a slice)": run.overhead_ms(fastest),
    }


def _head(run: Run) -> str:
    return "## Serving\n\n" + facts([*run.machine, f"Model {run.model}, engine {run.engine}", run.slices])


def _ratios(run: Run) -> str:
    rows = [[name, f"{value:.2f}"] for name, value in summary(run).items()]
    return "### Ratios\n\n" + table(["", "measured"], rows) + f"\n\n{TARGETS}"


def _forward(run: Run) -> str:
    rows = [[f"bare forward, batch {rate.batch}", *_rate(rate)] for rate in run.bare]
    rows.append([f"batcher (at most {run.batcher.batch} a batch)", *_rate(run.batcher)])
    rows.append(["inference worker in one process (database, files, measuring)", *_rate(run.worker)])
    return "### Without HTTP\n\n" + table(["", "slices/s", "CPU-ms a slice", "ms a slice"], rows)


def _http(run: Run) -> str:
    rows = [
        [
            str(load.clients),
            f"{load.per_s:.1f}",
            f"{load.per_s / run.ceiling.per_s:.2f}",
            f"{load.p50_ms:.1f}",
            f"{load.p95_ms:.1f}",
            *(f"{load.cpu_ms[role]:.2f}" for role in ("API", "worker", "Redis", "clients")),
            f"{run.overhead_ms(load):.2f}",
        ]
        for load in run.http
    ]
    names = [
        "clients",
        "slices/s",
        "of bare",
        "p50 ms",
        "p95 ms",
        "API",
        "worker",
        "Redis",
        "clients' own",
        "overhead",
    ]
    return "### Over HTTP\n\nThe last five columns are CPU-ms a slice.\n\n" + table(names, rows)


def _where(run: Run) -> str:
    load = max(run.http, key=lambda one: one.per_s)
    rows = [
        ["forward (bare)", f"{run.ceiling.cpu_ms:.2f}"],
        ["worker beyond the forward", f"{load.cpu_ms['worker'] - run.ceiling.cpu_ms:.2f}"],
        ["API", f"{load.cpu_ms['API']:.2f}"],
        ["Redis", f"{load.cpu_ms['Redis']:.2f}"],
        ["clients of the benchmark, on the same cores", f"{load.cpu_ms['clients']:.2f}"],
    ]
    timings = ", ".join(f"{name} {value:.1f}" for name, value in load.timings_ms.items())
    return (
        f"### Where the time goes, with {load.clients} clients\n\n"
        + table(["", "CPU-ms a slice"], rows)
        + f"\n\nMean `timings_ms` of the answers: {timings}."
    )


def _rate(rate: Rate) -> list[str]:
    return [f"{rate.per_s:.1f}", f"{rate.cpu_ms:.2f}", f"{1000 / rate.per_s:.2f}"]
