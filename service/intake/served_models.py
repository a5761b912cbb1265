"""Models and workers as the hot path asks for them: remembered for a second, not read for each slice."""

from collections.abc import Sequence
from typing import Any

from service.intake.ttl_cache import Remembered
from shared.contract.errors import InvalidFields, NotFound, NoWorker
from shared.contract.names import Queue
from shared.database.models import Models, StoredModel
from shared.database.workers import Workers
from shared.datasets.brats_names import MODALITIES
from shared.preprocessing.channels import GREY, SAME
from shared.registry.cards import ModelCard

# A promotion (PUT of an alias) is seen by the other API processes after this time, by this one at once.
ALIAS_S = 1.0
# Channels that a network can be given of a picture: grey fills all three, colour is made grey for one.
OF_PICTURES = (1, 3)


class Catalogue:
    """Resolves model names, and describes the model of a job."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._resolved: Remembered[tuple[StoredModel, str | None]] = Remembered(ALIAS_S)
        self._used: Remembered[dict[str, Any]] = Remembered(60.0)

    def resolve(self, reference: str) -> tuple[str, str | None]:
        """The model's id, and the alias if `reference` is one; raises UnknownModel."""
        model, alias = self._resolved.get(reference, lambda: self._models.resolve(reference))
        return model.id, alias

    def resolve_for_pictures(self, reference: str) -> tuple[str, str | None]:
        """As `resolve`; InvalidFields on `model` where a picture, grey or in colour, has not the channels it takes."""
        model, alias = self._resolved.get(reference, lambda: self._models.resolve(reference))
        if model.card.in_channels not in OF_PICTURES:
            raise _refused("model", f"{_takes(model.card)}, which a picture does not have")
        return model.id, alias

    def resolve_for_volumes(
        self, reference: str, modalities: Sequence[str] = (), *, may_hold_all: bool = False
    ) -> tuple[str, str | None]:
        """As `resolve`, for volumes of these `modalities`, or for one that is not named (it may hold several).

        InvalidFields on each modality that the model needs and that was not sent.
        """
        model, alias = self._resolved.get(reference, lambda: self._models.resolve(reference))
        if modalities:
            _check_modalities(model.card, modalities)
        elif not may_hold_all and model.card.in_channels not in OF_PICTURES:
            raise _one_is_too_few(model.card)
        return model.id, alias

    def used(self, model_id: str) -> dict[str, Any]:
        """`architecture` and `encoder` of a model; None for both if it was deleted since."""
        return self._used.get(model_id, lambda: self._describe(model_id))

    def forget(self) -> None:
        """An alias or a model changed here."""
        self._resolved.forget()
        self._used.forget()

    def _describe(self, model_id: str) -> dict[str, Any]:
        try:
            card = self._models.get(model_id).card
        except NotFound:
            return {"architecture": None, "encoder": None}
        return {"architecture": card.architecture, "encoder": card.encoder}


def _check_modalities(card: ModelCard, sent: Sequence[str]) -> None:
    wanted = _wanted(card)
    if not wanted:  # channels without names: by place, or grey for all three
        if len(sent) != card.in_channels and (len(sent), card.in_channels) != (1, 3):
            raise _refused("model", f"{_takes(card)}; {len(sent)} modalities were sent")
    elif missing := [name for name in wanted if name not in sent]:
        if not set(missing) <= set(MODALITIES):
            raise _refused("model", f"{_takes(card)}, which no field of this form holds")
        raise InvalidFields(
            "Some fields are wrong; `errors` names each.",
            errors={f"modality_{name}": ["The model needs this sequence."] for name in missing},
        )


def _one_is_too_few(card: ModelCard) -> InvalidFields:
    wanted = _wanted(card)
    if not wanted or not set(wanted) <= set(MODALITIES):
        return _refused("model", f"{_takes(card)}, which one image does not have")
    fields = ", ".join(f"`modality_{name}`" for name in wanted)
    return _refused("image", f"The model needs several sequences: send {fields} instead of this field.")


def _wanted(card: ModelCard) -> list[str]:
    """The modalities of the model's channels; none where they have no names."""
    return [SAME.get(name, name) for name in card.channels] or [GREY] * (card.in_channels == 1)


def _takes(card: ModelCard) -> str:
    names = f" ({', '.join(card.channels)})" if card.channels else ""
    return f"takes {card.in_channels} channel{'s' if card.in_channels > 1 else ''}{names}"


def _refused(name: str, message: str) -> InvalidFields:
    return InvalidFields("Some fields are wrong; `errors` names each.", errors={name: [message]})


class Workforce:
    """Whether somebody does the work.

    A worker that dies is started again within seconds, and its jobs wait in the database meanwhile. So a slice is
    taken while a worker was seen within the last minutes, and only /health/ready is strict.
    """

    def __init__(self, workers: Workers, within_s: float) -> None:
        self._workers = workers
        self._within_s = within_s
        self._seen: Remembered[bool] = Remembered(1.0)

    def require(self) -> None:
        """Raise NoWorker if no inference worker was seen lately."""
        if not self._seen.get(Queue.INFERENCE, self._ask):
            self._seen.forget()
            raise NoWorker("No worker was seen lately, so nothing is accepted; one should start soon.")

    def _ask(self) -> bool:
        return bool(self._workers.seen(Queue.INFERENCE, self._within_s))
