"""What can be chosen by name: plain strings, so that the API validates and lists names without loading torch."""

from importlib import import_module
from types import MappingProxyType
from typing import Any

from shared.contract.errors import InvalidFields

MODELS = MappingProxyType({"unet": "shared.ml.models.unet:build"})
LOSSES = MappingProxyType(
    {
        "bce_dice": "shared.ml.losses.bce_dice:BceDice",
        "dice": "shared.ml.losses.dice:Dice",
    }
)
DATASETS = MappingProxyType({"lgg": "shared.imaging.datasets.lgg:LggDataset"})
OPTIMIZERS = MappingProxyType(
    {"adam": "torch.optim:Adam", "adamw": "torch.optim:AdamW", "adamax": "torch.optim:Adamax"}
)
SCHEDULES = MappingProxyType(
    {"constant": "trainer.training.schedule:constant", "one_cycle": "trainer.training.schedule:one_cycle"}
)
# Finite on purpose: each of these is built by a test, with the encoder's name as smp spells it.
ENCODERS = ("mobilenet_v2", "resnet18", "resnet34", "vgg16", "efficientnet-b0")


def check(table: MappingProxyType[str, str] | tuple[str, ...], name: str, field: str) -> None:
    """Raise InvalidFields, naming what there is, unless `name` stands in `table`."""
    if name not in table:
        raise InvalidFields(
            errors={field: [f"{name!r} is not known; choose one of: {', '.join(sorted(table))}"]}
        )


def load(table: MappingProxyType[str, str], name: str, field: str) -> Any:
    """Import what `name` stands for in `table` (for the torch side; the API only checks names)."""
    check(table, name, field)
    module, attribute = table[name].split(":")
    return getattr(import_module(module), attribute)
