"""`python -m trainer.training.runs.child`: one training run as a process of its own (see `trainer.jobs.child_main`)."""

import json
import os
from pathlib import Path

import torch

from shared.contract.names import Stage
from shared.recipe import recipe_from
from trainer.jobs.child_main import child_main
from trainer.jobs.child_order import path_or_none
from trainer.jobs.child_side import EventPipe, leave
from trainer.training import pictures
from trainer.training.finish import finish
from trainer.training.run import Paths, run_training
from trainer.training.runs.run_failures import explain
from trainer.training.runs.run_order import RunChildOrder
from trainer.training.runs.run_reporter import RunReporter


def train(order: RunChildOrder, pipe: EventPipe) -> None:
    """The run, to its model."""
    torch.set_num_threads(order.threads or os.cpu_count() or 1)
    recipe = recipe_from(order.specification)
    reporter = RunReporter(pipe, recipe.epochs, order.checkpoint_s)
    device = torch.device(_device(order.device))
    paths = Paths(
        data=Path(order.data),
        out=Path(order.out),
        encoder_weights=path_or_none(order.encoder_weights),
        resume_from=path_or_none(order.resume_from),
        cache=Path(order.cache),
        options=order.options,
        pseudonyms=True,
    )
    trained = run_training(recipe, paths, device, reporter)
    reporter.stage(Stage.SAVING)
    folder = finish(recipe, paths, trained, device, model_id=order.model_id, thorough=False)
    (folder / "history.json").write_text(json.dumps(trained.history, indent=1))
    pictures.curves(folder / "curves.png", trained.history)
    pipe.send("finished", folder=str(folder))


def _device(asked: str) -> str:
    if asked != "auto":
        return asked
    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    leave(child_main(RunChildOrder, train, explain))
