"""`python -m trainer.training RECIPE --data DIR --out DIR`: train a model; started again, it goes on."""

import argparse
import os
import sys
from pathlib import Path

import torch

from shared.contract.errors import ServiceError
from shared.recipe import read_recipe
from trainer.training.finish import finish
from trainer.training.progress import Terminal
from trainer.training.run import Paths, run_training


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 wrong input."""
    parser = argparse.ArgumentParser(prog="python -m trainer.training", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a YAML file of recipes/")
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset, or a YAML file of several")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, history and model")
    parser.add_argument("--encoder-weights", type=Path, default=os.environ.get("ENCODER_WEIGHTS_DIR"),
                        help="folder of ImageNet weights (*.pth) for machines without a network")  # fmt: skip
    parser.add_argument("--start-from", type=Path, help="a model folder whose weights to go on from")
    parser.add_argument(
        "--strange",
        type=Path,
        nargs="*",
        default=[],
        help="folders of images unlike the data, to measure the warning on",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--epochs", type=int, help="fewer or more epochs than the recipe says")
    options = parser.parse_args(arguments)
    try:
        recipe = read_recipe(options.recipe, {"epochs": options.epochs} if options.epochs else None)
        folder = Path(options.encoder_weights) if options.encoder_weights else None
        paths = Paths(options.data, options.out, folder, options.start_from, tuple(options.strange))
        trained = run_training(recipe, paths, torch.device(options.device), Terminal(recipe.epochs))
        finish(recipe, paths, trained, torch.device(options.device))
    except (ServiceError, ValueError) as error:
        print(_sentence(error), file=sys.stderr)
        return 2
    return 0


def _sentence(error: ServiceError | ValueError) -> str:
    if isinstance(error, ServiceError) and error.errors:
        return "\n".join(f"{field}: {' '.join(messages)}" for field, messages in error.errors.items())
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
