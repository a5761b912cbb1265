"""Why evaluations fail, in words for a person."""

from pathlib import Path

from shared.contract.config import ConfigError
from shared.contract.errors import EvaluationFailed, JobFailed
from trainer.evaluation.evaluation_order import EvaluationChildOrder
from trainer.jobs.failures import FailureWords, failure_on_dataset

WORDS = FailureWords(
    failed=EvaluationFailed,
    broke_off="The evaluation broke off ({}).",
    disk_full="The disk of the training worker is full. Make room, then ask for the evaluation again.",
    out_of_memory="The evaluation needs more memory than there is.",
    killed_for_memory="The system ended the evaluation for want of memory: "
    "ask for it again when the worker has less to do.",
    dataset_gone="The dataset was deleted while it was evaluated on.",
)


def explain(error: Exception, order: EvaluationChildOrder) -> JobFailed:
    """Why an evaluation's process broke off."""
    failure = failure_on_dataset(error, Path(order.data), WORDS)
    if isinstance(failure, EvaluationFailed) and isinstance(error, ConfigError):
        return EvaluationFailed(str(error))  # DEVICE or ENGINE, as the worker's own start would say it
    return failure
