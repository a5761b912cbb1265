"""`python -m trainer.training.convert FILE.pth ...`: a model for this service from weights that were trained elsewhere.

The file is a PyTorch checkpoint with the weights of a network of our table (segmentation-models-pytorch's names).
What the service must know beside them, and nobody can read from the weights, is given by flags.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from shared import catalog
from shared.contract.errors import InvalidFields, ModelUnusable, ServiceError
from shared.ml.checkpoint import build_network, load_model, save_weights
from shared.preprocessing.preprocess import NORMALIZATIONS, Preprocessing
from shared.recipe import FLIPS, CardText
from shared.registry.archives import CARD, README, write_archive
from shared.registry.cards import SCHEMA, Calibration, Label, ModelCard, Weights
from trainer.training.card_text import render
from trainer.training.state_dict import fill, read_state_dict

IN_CHANNELS, CLASSES = 3, 1


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 2 wrong input."""
    options = _parser().parse_args(arguments)
    try:
        card = convert(options)
    except (ServiceError, OSError) as error:
        sys.stderr.write(f"{_sentence(error)}\n")
        return 2
    sys.stdout.write(
        f"{card.id}: {card.weights.parameters} parameters, in {options.archive or options.out}\n"
    )
    return 0


def convert(options: argparse.Namespace) -> ModelCard:
    """Write the model's folder, and the archive if one is asked for. Raises ServiceError, OSError."""
    network = build_network(options.architecture, options.encoder, IN_CHANNELS, CLASSES, dict(options.option))
    fill(network, read_state_dict(options.file))
    card = ModelCard.from_dict(asdict(_card(options, save_weights(options.out, network, {}))))
    card.dump(options.out / CARD)
    (options.out / README).write_text(render(card), encoding="utf-8")
    _try(options.out, card)
    if options.archive:
        write_archive(options.out, options.archive)
    return card


def _parser() -> argparse.ArgumentParser:
    text = CardText()
    parser = argparse.ArgumentParser(prog="python -m trainer.training.convert", description=__doc__)
    add = parser.add_argument
    add("file", type=Path, help="checkpoint of torch.save: a state_dict, or a dictionary that holds one")
    add("--architecture", required=True, choices=sorted(catalog.MODELS))
    add("--encoder", choices=sorted(catalog.ENCODERS), help="where the architecture is built over one")
    add("--option", nargs=2, action="append", default=[], type=_number_or_name, metavar=("NAME", "VALUE"),
        help="an option of the architecture, such as: --option width 32")  # fmt: skip
    add("--out", type=Path, required=True, help="folder for the model")
    add("--archive", type=Path, help="zip file for `POST /v1/models`")
    add("--normalization", required=True, choices=NORMALIZATIONS,
        help="how the network was fed: `imagenet` divides by the data type's range, `percentile` by each "
        "channel's own 99.5th percentile; then ImageNet's mean and deviation in both")  # fmt: skip
    add("--image-size", type=int, default=256, help="side of the network's input, pixels")
    add("--threshold", type=float, default=0.5, help="probability from which on a pixel is tumour")
    add("--min-region-pixels", type=int, default=0, help="smaller regions are dropped")
    add("--flips", nargs="*", default=[], choices=FLIPS, help="test-time flips")
    add("--scale", type=float, default=1.0, help="calibration: probability = sigmoid(scale * logit + bias)")
    add("--bias", type=float, default=0.0)
    add("--id", help="of the model (default: the name of the folder)")
    add("--name", help="for people (default: the id)")
    add("--version", default=text.version)
    add("--description", default="Trained elsewhere and converted.")
    add("--licence", required=True, help="of the weights")
    add("--data", default="", help="what the weights were trained on, and its licence")
    add("--intended-use", default=text.intended_use)
    add("--not-for", default=text.not_for)
    return parser


def _number_or_name(text: str) -> float | str:
    """Of an option's name and value, the value is a number."""
    try:
        return float(text)
    except ValueError:
        return text


def _card(options: argparse.Namespace, weights: Weights) -> ModelCard:
    model_id = options.id or options.out.resolve().name
    return ModelCard(
        schema=SCHEMA,
        id=model_id,
        name=options.name or model_id,
        version=options.version,
        description=options.description,
        architecture=options.architecture,
        encoder=options.encoder,
        network=dict(options.option),
        in_channels=IN_CHANNELS,
        classes=CLASSES,
        labels=[Label(1, "tumour")],
        preprocessing=asdict(_preprocessing(options)),
        threshold=options.threshold,
        min_region_pixels=options.min_region_pixels,
        test_time_augmentation=list(options.flips),
        calibration=Calibration(options.scale, options.bias),
        unlike={},
        metrics={},
        provenance={"data": options.data, "converted_from": options.file.name},
        licence=options.licence,
        intended_use=options.intended_use,
        not_for=options.not_for,
        weights=weights,
    )


def _preprocessing(options: argparse.Namespace) -> Preprocessing:
    return Preprocessing(image_size=options.image_size, normalization=options.normalization)


def _try(folder: Path, card: ModelCard) -> None:
    """Run the network once, as it was written. Raises ModelUnusable."""
    predictor, _ = load_model(folder)
    size = card.preprocessing["image_size"]
    try:
        with torch.inference_mode():
            probability_BHW, _ = predictor(torch.zeros(1, IN_CHANNELS, size, size))
    except RuntimeError as error:
        raise ModelUnusable(f"The network does not run on images of {size}x{size}: {error}") from error
    if not probability_BHW.isfinite().all():
        raise ModelUnusable("The network's output is not finite.")


def _sentence(error: ServiceError | OSError) -> str:
    if isinstance(error, InvalidFields) and error.errors:
        return "\n".join(f"{field}: {' '.join(messages)}" for field, messages in error.errors.items())
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
