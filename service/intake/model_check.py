"""Whether this version can serve a model, from its card and the names of its tensors; no torch."""

import json
import math
from collections.abc import Collection, Iterator
from typing import Any

from shared import catalog
from shared.preprocessing.preprocess import MOST_CHANNELS, Preprocessing
from shared.recipe import FLIPS, MOST_CLASSES, STRIDE
from shared.registry import strict
from shared.registry.archives import WEIGHTS
from shared.registry.cards import InvalidCard, ModelCard

MAX_IMAGE_SIZE = 1024
MEASURES = 2  # of strangeness: `unlike.limits` has a limit for each
FEATURES = ("features.mean", "features.whitening", "features.direction")
# Addresses under /v1/models/ that are no model's.
RESERVED = ("aliases",)

Found = Iterator[tuple[str, str]]


def check_servable(card: ModelCard, tensors: Collection[str]) -> None:
    """Raise InvalidCard with every reason, by place in the card."""
    _check_storable(card)
    problems: strict.Problems = {}
    for place, message in (*_names(card), *_shapes(card), *_preprocessing(card), *_unlike(card, tensors)):
        problems.setdefault(place, []).append(message)
    if problems:
        raise InvalidCard("This version cannot serve the model; `errors` names each reason.", problems)


def _names(card: ModelCard) -> Found:
    for place, message in catalog.wrong_architecture(card.architecture, card.encoder, card.network):
        yield place.replace("architecture_options", "network"), message
    if card.id in RESERVED:
        yield "id", "is taken by an address of the API"
    if card.weights.file != WEIGHTS:
        yield "weights.file", f"must be {WEIGHTS}"


def _shapes(card: ModelCard) -> Found:
    if card.in_channels != card.preprocessing.get("channels", Preprocessing.channels):
        yield "in_channels", "must be the channels of the preprocessing"
    if card.in_channels > MOST_CHANNELS:
        yield "in_channels", f"must be at most {MOST_CHANNELS}"
    if card.classes > MOST_CLASSES:
        yield "classes", f"must be at most {MOST_CLASSES}"
    elif [label.value for label in card.labels] != [*range(1, card.classes + 1)]:
        yield "labels", "must be one for each class, of the values 1, 2, ..."
    flips = card.test_time_augmentation
    if not set(flips) <= set(FLIPS) or len(set(flips)) != len(flips):
        yield "test_time_augmentation", f"must be of {', '.join(FLIPS)}, each at most once"


def _preprocessing(card: ModelCard) -> Found:
    problems: strict.Problems = {}
    try:
        read = strict.read(Preprocessing, card.preprocessing, problems, "preprocessing")
    except ValueError as error:
        yield "preprocessing", str(error)
        return
    yield from ((place, message) for place, messages in problems.items() for message in messages)
    if read is not None and not (
        STRIDE <= read.image_size <= MAX_IMAGE_SIZE and read.image_size % STRIDE == 0
    ):
        yield "preprocessing.image_size", f"must be a multiple of {STRIDE} up to {MAX_IMAGE_SIZE}"
    if read is not None and not 0 < read.percentile <= 100:
        yield "preprocessing.percentile", "must be above 0 and at most 100"


def _unlike(card: ModelCard, tensors: Collection[str]) -> Found:
    limits: Any = card.unlike.get("limits")
    if limits is None:
        return
    numbers = isinstance(limits, list) and all(type(v) in (int, float) and math.isfinite(v) for v in limits)
    if not numbers or len(limits) != MEASURES:
        yield "unlike.limits", f"must be {MEASURES} numbers"
    elif not set(FEATURES) <= set(tensors):
        yield "unlike.limits", f"need the tensors {', '.join(FEATURES)}"


def _check_storable(card: ModelCard) -> None:
    """The free parts of a card may hold what JSON can say and no database keeps."""
    try:
        text = json.dumps(card.to_dict(), allow_nan=False, ensure_ascii=False)
        text.encode()  # half a surrogate pair
        if "\\u0000" in text:
            raise ValueError("a NUL")
    except (ValueError, RecursionError):
        message = "holds a number or a text that cannot be kept, or goes too deep"
        raise InvalidCard(f"The model card {message}.", {"card": [message]}) from None
