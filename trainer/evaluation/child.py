"""`python -m trainer.evaluation.child`: one evaluation as a process of its own (see `trainer.jobs.child_main`)."""

from pathlib import Path

from trainer.engines.open_engine import resolve_device
from trainer.evaluation.evaluation_failures import explain
from trainer.evaluation.evaluation_order import EvaluationChildOrder
from trainer.evaluation.stored import StoredDataset
from trainer.jobs.child_main import child_main
from trainer.jobs.child_order import path_or_none
from trainer.jobs.child_side import EventPipe, leave


def do(order: EvaluationChildOrder, pipe: EventPipe) -> None:
    """The evaluation, to its result."""
    # Takes seconds, in which the worker is listened to already.
    from trainer.evaluation.evaluate import Question, evaluate

    if order.threads:
        import torch

        torch.set_num_threads(order.threads)
    pipe.progress(0.0)
    question = Question(
        model=Path(order.model),
        against=path_or_none(order.against),
        dataset=StoredDataset(Path(order.data), order.format, order.options),
        dataset_name=order.dataset_name,
        split=order.split,
        flips_on=order.flips_on,
        device=resolve_device(order.device),
        engine=order.engine,
        cache_dir=path_or_none(order.cache),
    )
    pipe.send("finished", result=evaluate(question, Path(order.out), pipe.progress))


if __name__ == "__main__":
    leave(child_main(EvaluationChildOrder, do, explain))
