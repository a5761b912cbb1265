"""Why training runs fail, in words for a person."""

from pathlib import Path

from shared.contract.errors import JobFailed, TrainingFailed
from trainer.jobs.failures import FailureWords, failure_on_dataset
from trainer.training.runs.run_order import RunChildOrder

_SMALLER = "try a smaller batch_size or image_size."
WORDS = FailureWords(
    failed=TrainingFailed,
    broke_off="The run broke off ({}).",
    disk_full="The disk of the training worker is full. Make room, then resume the run.",
    out_of_memory=f"The run needs more memory than there is: {_SMALLER}",
    killed_for_memory=f"The system ended the run for want of memory: {_SMALLER}",
    dataset_gone="The dataset was deleted while the run was using it.",
)


def explain(error: Exception, order: RunChildOrder) -> JobFailed | None:
    """Why a run's process broke off; None where another attempt may go well."""
    failure = failure_on_dataset(error, Path(order.data), WORDS)
    if isinstance(failure, TrainingFailed) and "DataLoader worker (pid" in str(error):
        return None  # killed by somebody: the kernel, for its memory, or a person
    return failure
