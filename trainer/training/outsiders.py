"""`python -m trainer.training.outsiders MODEL --data FILE.yaml --like NAME --other NAME --version V --out DIR`

Teaches a finished model's warning `unlike_training_data` a real kind of image that its network never learned. The
network stays as it is, and so do its masks. FILE.yaml lists both datasets (trainer.training.sources).
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from shared.contract.errors import ServiceError
from shared.ml.checkpoint import FEATURE_PREFIX, load_network, load_tensors, save_tensors, sha256
from shared.ml.predict import Predictor, Whitening
from shared.preprocessing.unlike import unlike_training_data
from shared.recipe import Recipe, recipe_from
from shared.registry.cards import ModelCard
from trainer.training import assess
from trainer.training.card_text import render
from trainer.training.mixture import Mixture, open_mixture
from trainer.training.slices import Slices, prepare
from trainer.training.strangeness import Outsiders, kinds, outsiders
from trainer.training.validate import predict

CPU = torch.device("cpu")
CARD = "card.json"


def teach(
    model: Path, data: Path, like: str, other: str, version: str, out: Path, credit: str = ""
) -> Path:
    """Write the model with the wider warning to `out`; returns that folder. `credit` is said of the data in the card.

    `like` is what its network learned from, `other` what it did not: its train part is learned to be told, its
    validation part helps to set the limit, its test part measures. Raises ServiceError, ValueError.
    """
    _, features, card = load_network(model)
    if not features:
        raise ValueError(f"{card.id} does not warn of images unlike its training data")
    recipe = recipe_from(
        {"name": card.id, "in_channels": card.in_channels, "image_size": card.preprocessing["image_size"],
         "normalization": card.preprocessing["normalization"]}
    )  # fmt: skip
    mixture = open_mixture(recipe, data)
    for name in (like, other):
        if name not in mixture.sources:
            raise ValueError(f"{name} is not in {data.name}, which lists: {', '.join(mixture.sources)}")
    if not {f"{other}/train", f"{other}/validation"} <= {item.unit for item in mixture.of(other)}:
        raise ValueError(f"{other} needs slices to learn from and to validate by: see its validation and test")
    with TemporaryDirectory() as cache:
        slices = prepare(mixture, recipe.preprocessing, Path(cache))
        found = _fitted(model, recipe, slices, like, other)
    shutil.copytree(model, out, dirs_exist_ok=True)
    new = _extended(out, card, found, version)
    about = f"{card.provenance.get('data', '')} {credit}".strip()
    new = replace(new, provenance=card.provenance | {"data": about})
    new.dump(out / CARD)
    new = _measured(out, new, mixture, like, other, found)
    new.dump(out / CARD)
    (out / "README.md").write_text(render(new))
    return out


def _fitted(model: Path, recipe: Recipe, slices: Slices, like: str, other: str) -> Outsiders:
    network, features, _ = load_network(model)
    white = Predictor(network, strangeness=Whitening(features["mean"], features["whitening"]))
    changes, _ = kinds(recipe.in_channels, recipe.main_channel)

    def whitened(indices: np.ndarray, n: int = 0) -> np.ndarray:
        return np.concatenate([second for _, second in predict(white, slices, indices, recipe, CPU, changes[n])])

    everyone = slices.by_source(np.arange(len(slices.units)))[like]
    patients = [everyone[rows] for rows in slices.by_patient(everyone).values()]
    # In colour and in grey, as the limits of the other measures are set.
    likes = [np.stack([whitened(own, n) for n in range(len(changes))]) for own in patients]
    parts = [whitened(slices.of([f"{other}/{part}"])) for part in ("train", "validation")]
    return outsiders(likes, *parts)


def _extended(out: Path, card: ModelCard, found: Outsiders, version: str) -> ModelCard:
    """The weights get one direction more, scaled to the limit that is there."""
    path = out / card.weights.file
    tensors, metadata = load_tensors(path)
    name = FEATURE_PREFIX + "direction"
    known = tensors[name].reshape(len(tensors[name]), -1)
    limit = float(card.unlike["limits"][1])
    added = torch.from_numpy(found.direction_K * (limit / found.limit)).float()[:, None]
    tensors[name] = torch.cat([known, added], dim=1)
    save_tensors(path, tensors, metadata)
    weights = replace(card.weights, sha256=sha256(path), bytes=path.stat().st_size)
    return replace(card, version=version, weights=weights)


def _measured(
    out: Path, card: ModelCard, mixture: Mixture, like: str, other: str, found: Outsiders
) -> ModelCard:
    """With what the engine that serves says of the test part, and of what is like the training data."""
    served, limits = assess.served(out, "cpu"), card.unlike["limits"]
    test = [item for item in mixture.of(other) if item.unit == f"{other}/test"]
    looked = assess.findings(served, mixture, test, assess.as_uploaded) if test else []
    warned = [unlike_training_data(f.strangeness, limits) for f in looked]
    rows: dict[str, Any] = dict(card.metrics["unlike_training_data"])
    if warned:
        rows[f"{other}: slices kept for testing"] = _row(warned)
    rows[f"{like}: slices of patients left out of the fit for {other}, by that measure alone"] = _row(
        found.held_out
    )
    provenance = card.provenance | {"outsiders": mixture.described()[other] | {"name": other}}
    return replace(
        card, metrics=dict(card.metrics) | {"unlike_training_data": rows}, provenance=provenance
    )


def _row(warned: list[bool]) -> dict[str, Any]:
    return {"images": len(warned), "warned": round(float(np.mean(warned)), 4)}


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 wrong input."""
    parser = argparse.ArgumentParser(prog="python -m trainer.training.outsiders", description=__doc__)
    parser.add_argument("model", type=Path, help="a model's folder")
    for name, text in (
        ("like", "the dataset of the file that the network learned from"),
        ("other", "the dataset of the file to be told apart"),
        ("version", "the new model's version"),
    ):
        parser.add_argument(f"--{name}", required=True, help=text)
    parser.add_argument("--credit", default="", help="what the card says of the other dataset")
    parser.add_argument("--data", type=Path, required=True, help="the YAML file that lists both")
    parser.add_argument("--out", type=Path, required=True, help="folder for the new model")
    options = parser.parse_args(arguments)
    try:
        how = options.like, options.other, options.version, options.out, options.credit
        teach(options.model, options.data, *how)
    except (ServiceError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
