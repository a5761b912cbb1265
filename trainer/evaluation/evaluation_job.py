"""Does claimed evaluations, one process each. One that was deleted is a claim that is lost: its process is killed."""

from collections.abc import Callable
from functools import partial

from shared.files.paths import evaluation_folder
from shared.jobs.evaluations import EvaluationClaim
from trainer.evaluation.evaluation_attempt import EvaluationAttempt
from trainer.evaluation.evaluation_failures import WORDS
from trainer.evaluation.evaluation_tools import EvaluationTools
from trainer.jobs.attempt import JobKind
from trainer.jobs.supervision import supervise
from trainer.jobs.sweep import is_under_way, sweep

KIND = JobKind("evaluation", WORDS)


class EvaluationJob:
    """`stopping` says that the worker wants to end."""

    def __init__(self, tools: EvaluationTools, stopping: Callable[[], bool]) -> None:
        self._tools, self._stopping = tools, stopping

    def run(self, claim: EvaluationClaim) -> None:
        """To its end, or until it is lost or the worker stops. Never raises for what the evaluation did."""
        tools = self._tools
        attempt = EvaluationAttempt(tools, claim)
        supervise(
            KIND, tools.evaluations, claim, attempt, lease_s=tools.settings.lease_s, stopping=self._stopping
        )

    def sweep(self) -> None:
        """Remove what evaluations have left, here and in the store, that were deleted or whose worker was killed."""
        tools = self._tools
        gone = tools.evaluations.to_clean()
        removed = [each for each in gone if tools.files.try_delete_tree(evaluation_folder(each))]
        if removed:
            tools.evaluations.files_removed(removed)
        sweep(tools.settings.work_dir, partial(is_under_way, tools.evaluations.get))
        tools.local_models.sweep(tools.models)
