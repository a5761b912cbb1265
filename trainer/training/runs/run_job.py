"""Does claimed training runs, one process each."""

from collections.abc import Callable

from shared.jobs.training_runs import RunClaim
from trainer.jobs.attempt import JobKind
from trainer.jobs.supervision import supervise
from trainer.jobs.sweep import found, sweep
from trainer.training.runs.run_attempt import RunAttempt
from trainer.training.runs.run_failures import WORDS
from trainer.training.runs.run_tools import RunTools

# The grace is enough to save a checkpoint before the worker itself is killed.
KIND = JobKind("run", WORDS, stop_grace_s=4.0)


class RunJob:
    """`stopping` says that the worker wants to end."""

    def __init__(self, tools: RunTools, stopping: Callable[[], bool]) -> None:
        self._tools, self._stopping = tools, stopping

    def run(self, claim: RunClaim) -> None:
        """To its end, or until it is lost, cancelled, or the worker stops. Never raises for what the run did."""
        tools = self._tools
        attempt = RunAttempt(tools, claim)
        supervise(
            KIND, tools.runs, claim, attempt, lease_s=tools.settings.lease_s, stopping=self._stopping
        )

    def sweep(self) -> None:
        """Remove what runs have left here that ended elsewhere, or whose worker was killed."""
        sweep(self._tools.settings.work_dir, self._goes_on)

    def _goes_on(self, run_id: str) -> bool:
        run = found(self._tools.runs.get, run_id)
        return run is not None and not run.ended
