"""What can be chosen by name: plain strings, so that the API validates and lists names without loading torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

from shared.contract.errors import InvalidFields


@dataclass(frozen=True, slots=True)
class Option:
    """A number that an entry takes, with its default and limits."""

    default: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice: where its code is (`module:attribute`), what it is in a sentence, and its options."""

    target: str
    sentence: str
    options: Mapping[str, Option] = field(default_factory=dict)


Table = Mapping[str, Entry]

MODELS: Table = MappingProxyType(
    {
        "unet": Entry(
            "shared.ml.models.unet:build",
            "U-Net (Ronneberger et al. 2015) over an encoder of the table `encoders`, by "
            "segmentation-models-pytorch.",
        ),
    }
)
_SMOOTH = Option(1.0, 0.0, 1e4)
LOSSES: Table = MappingProxyType(
    {
        "bce_dice": Entry(
            "shared.ml.losses.bce_dice:BceDice",
            "Binary cross-entropy plus batch Dice.",
            {"bce_weight": Option(1.0, 0.0, 100.0), "smooth": _SMOOTH},
        ),
        "dice": Entry(
            "shared.ml.losses.dice:Dice", "Soft Dice over all pixels of the batch.", {"smooth": _SMOOTH}
        ),
    }
)
DATASETS: Table = MappingProxyType(
    {
        "lgg": Entry(
            "shared.imaging.datasets.lgg:LggDataset",
            "A folder a patient with NAME_N.tif and NAME_N_mask.tif (LGG MRI Segmentation, Buda et al. 2019).",
        ),
        "image_mask": Entry(
            "shared.imaging.datasets.image_mask:ImageMaskDataset",
            "Images with masks of the same name and `_mask` at the end, or in folders `images` and `masks`; "
            "PNG, JPEG, TIFF, BMP.",
        ),
        "auto": Entry(
            "shared.imaging.datasets.detect:open_auto", "Whichever of the others fits the names of the files."
        ),
    }
)
OPTIMIZERS: Table = MappingProxyType(
    {
        "adam": Entry("torch.optim:Adam", "Adam (Kingma and Ba 2015)."),
        "adamw": Entry("torch.optim:AdamW", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)."),
        "adamax": Entry("torch.optim:Adamax", "Adam by the infinity norm (Kingma and Ba 2015)."),
    }
)
SCHEDULES: Table = MappingProxyType(
    {
        "constant": Entry("trainer.training.schedule:constant", "The same learning rate throughout."),
        "one_cycle": Entry(
            "trainer.training.schedule:one_cycle",
            "Up during the first 15 % of the steps, then down along a cosine (Smith and Topin 2018).",
        ),
    }
)
Sentences = Mapping[str, str]

# Finite on purpose: each of these is built by a test, with the encoder's name as smp spells it.
ENCODERS: Sentences = MappingProxyType(
    {
        "mobilenet_v2": "MobileNetV2 (Sandler et al. 2018): small and fast, also without a GPU.",
        "resnet18": "ResNet-18 (He et al. 2016).",
        "resnet34": "ResNet-34 (He et al. 2016).",
        "vgg16": "VGG-16 (Simonyan and Zisserman 2015): large and slow.",
        "efficientnet-b0": "EfficientNet-B0 (Tan and Le 2019).",
    }
)
NORMALIZATIONS: Sentences = MappingProxyType(
    {
        "percentile": "Each channel of a slice is divided by its own 99.5th percentile: brightness and bit depth "
        "make no difference.",
        "imagenet": "Divided by the full range of the data type.",
    }
)
SPLITS: Sentences = MappingProxyType(
    {
        "patient": "No patient is in two of the parts: the numbers hold for patients that the model never saw.",
        "slice": "Neighbouring slices of a patient may be in different parts: the numbers come out too good.",
    }
)
AUGMENTATIONS: Sentences = MappingProxyType(
    {
        "flip_horizontal": "Probability of mirroring left and right.",
        "flip_vertical": "Probability of mirroring top and bottom.",
        "affine": "Probability of rotating, moving, scaling and shearing together.",
        "degrees": "Rotation by at most so many degrees either way.",
        "translate": "Moved by at most this fraction of the side.",
        "scale": "Made larger or smaller by at most this fraction.",
        "shear": "Sheared by at most so many degrees.",
        "gamma": "Gamma of each channel between exp(-value) and exp(value).",
        "contrast": "Contrast of each channel changed by at most this fraction.",
        "brightness": "Brightness of each channel changed by at most this fraction of the full range.",
        "noise": "Standard deviation of Gaussian noise, at most this fraction of the full range.",
        "blur": "Probability of a slight Gaussian blur.",
        "repeat_channel": "Probability that `main_channel` stands in for all channels, as in a grey upload.",
        "missing_channel": "Probability that a channel is missing and `main_channel` stands in for it.",
        "main_channel": "The channel that the masks were drawn on, from 0.",
        "crop": "Side of a random crop in pixels, a multiple of 16; 0 for none.",
        "crop_until": "Fraction of the epochs after which whole slices are seen.",
    }
)


def check(names: Iterable[str], name: str, field: str) -> None:
    """Raise InvalidFields, naming what there is, unless `name` is one of `names`."""
    known = sorted(names)
    if name not in known:
        raise InvalidFields(errors={field: [f"{name!r:.80} is not known; choose one of: {', '.join(known)}"]})


def load(table: Table, name: str, field: str) -> Any:
    """Import what `name` stands for in `table` (for the torch side; the API only checks names)."""
    check(table, name, field)
    module, attribute = table[name].target.split(":")
    return getattr(import_module(module), attribute)
