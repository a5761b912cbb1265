"""What can be chosen by name: plain strings, so that the API validates and lists names without loading torch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

from shared.contract.errors import InvalidFields


@dataclass(frozen=True, slots=True)
class Option:
    """A number that an entry takes, with its default and limits; `whole`: 16 or 16.0, but not 16.5."""

    default: float
    minimum: float
    maximum: float
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice: where its code is (`module:attribute`), what it is in a sentence, and its options.

    `encoders`: of an architecture, those of the table that it can be built over; none where it has its own.
    `stride`: what the sides of its pictures, and of crops of them, must be multiples of.
    `several_classes`: a loss for several classes of tumour, instead of for tumour or not.
    """

    target: str
    sentence: str
    options: Mapping[str, Option] = field(default_factory=dict)
    encoders: tuple[str, ...] = ()
    stride: int = 16
    several_classes: bool = False


Table = Mapping[str, Entry]

_CNN = (
    "mobilenet_v2",
    "resnet18",
    "resnet34",
    "resnet50",
    "vgg16",
    "efficientnet-b0",
    "efficientnet-b1",
    "efficientnet-b2",
    "efficientnet-b3",
)
_MIT = ("mit_b0", "mit_b1")
_WIDTH = Option(64, 8, 128, whole=True)
MODELS: Table = MappingProxyType(
    {
        "unet": Entry(
            "shared.ml.models.unet:build",
            "U-Net (Ronneberger et al. 2015) over an encoder of the table `encoders`, by "
            "segmentation-models-pytorch.",
            encoders=_CNN + _MIT,
        ),
        "unet_plus_plus": Entry(
            "shared.ml.models.unet_plus_plus:build",
            "U-Net++ (Zhou et al. 2018): nested blocks between encoder and decoder.",
            encoders=_CNN,
            stride=32,
        ),
        "plain_unet": Entry(
            "shared.ml.models.plain_unet:build",
            "The classic U-Net of double 3x3 convolutions with batch normalisation, without a pretrained encoder.",
            {"width": _WIDTH},
        ),
        "group_norm_unet": Entry(
            "shared.ml.models.group_norm_unet:build",
            "The classic U-Net with group normalisation (Wu and He 2018), which small batches do not disturb.",
            {"width": _WIDTH, "groups": Option(32, 1, 128, whole=True)},
        ),
        "attention_unet": Entry(
            "shared.ml.models.attention_unet:build",
            "Attention U-Net (Oktay et al. 2018): the classic U-Net with gates on its skips.",
            {"width": _WIDTH},
        ),
        "transunet": Entry(
            "shared.ml.models.transunet:build",
            "TransUNet (Chen et al. 2021): a transformer over the deepest map of a CNN, in a U-Net; `width` is that "
            "of one head.",
            {
                "layers": Option(6, 1, 24, whole=True),
                "heads": Option(6, 1, 16, whole=True),
                "width": Option(64, 8, 64, whole=True),
            },
            encoders=_CNN,
        ),
        "deeplabv3_plus": Entry(
            "shared.ml.models.deeplabv3_plus:build",
            "DeepLabV3+ (Chen et al. 2018): dilated convolutions of several widths side by side.",
            # VGG halves by pooling, which cannot be dilated.
            encoders=tuple(name for name in _CNN + _MIT if name != "vgg16"),
        ),
        "fpn": Entry(
            "shared.ml.models.fpn:build",
            "Feature pyramid network (Lin et al. 2017).",
            encoders=_CNN + _MIT,
            stride=32,
        ),
        "segformer": Entry(
            "shared.ml.models.segformer:build",
            "SegFormer (Xie et al. 2021): a light decoder of linear layers, made for the encoders MiT.",
            encoders=_CNN + _MIT,
        ),
    }
)
# Never 0: a batch without tumour, or logits that are very sure, would make 0 / 0 of it.
_SMOOTH = Option(1.0, 1e-6, 1e4)
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
        "dice_per_sample": Entry(
            "shared.ml.losses.dice_per_sample:DicePerSample",
            "Mean of the slices' own soft Dice (Milletari et al. 2016): a small tumour weighs as much as a large one.",
            # Without it an empty slice with nothing found would be 0 / 0.
            {"smooth": Option(1.0, 1e-6, 1e4)},
        ),
        "focal": Entry(
            "shared.ml.losses.focal:Focal",
            "Focal loss (Lin et al. 2017): pixels that are right already count for little; `alpha` is the weight of "
            "tumour.",
            # Below 1 the gradient of a pixel that is right has no bound.
            {"gamma": Option(2.0, 1.0, 10.0), "alpha": Option(0.25, 0.0, 1.0)},
        ),
        "tversky": Entry(
            "shared.ml.losses.tversky:Tversky",
            "Tversky loss (Salehi et al. 2017): `alpha` is the price of what is found wrongly, `beta` of what is "
            "missed.",
            {"alpha": Option(0.3, 0.0, 10.0), "beta": Option(0.7, 0.0, 10.0), "smooth": _SMOOTH},
        ),
        "ce_dice": Entry(
            "shared.ml.losses.ce_dice:CeDice",
            "Cross-entropy plus batch Dice, for several classes of tumour.",
            {"ce_weight": Option(1.0, 0.0, 100.0), "smooth": _SMOOTH},
            several_classes=True,
        ),
    }
)
DATASETS: Table = MappingProxyType(
    {
        "lgg": Entry(
            "shared.datasets.lgg:LggDataset",
            "A folder a patient with NAME_N.tif and NAME_N_mask.tif (LGG MRI Segmentation, Buda et al. 2019).",
        ),
        "image_mask": Entry(
            "shared.datasets.image_mask:ImageMaskDataset",
            "Images with masks of the same name and `_mask` at the end, or in folders `images` and `masks`; "
            "PNG, JPEG, TIFF, BMP.",
        ),
        "brats": Entry(
            "shared.datasets.brats:BratsDataset",
            "A folder a case with four modalities and the segmentation as NIfTI, under the names of BraTS 2013 to "
            "2023.",
        ),
        "yes_no": Entry(
            "shared.datasets.yes_no:YesNoDataset",
            "Two folders of pictures, with tumour and without; a circle over the brightest place stands for the mask.",
        ),
        "auto": Entry(
            "shared.datasets.detect:open_auto", "Whichever of the others fits the names of the files."
        ),
    }
)
OPTIMIZERS: Table = MappingProxyType(
    {
        "adam": Entry("torch.optim:Adam", "Adam (Kingma and Ba 2015)."),
        "adamw": Entry("torch.optim:AdamW", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)."),
        "adamax": Entry("torch.optim:Adamax", "Adam by the infinity norm (Kingma and Ba 2015)."),
        "sgd": Entry(
            "trainer.training.optimizers:sgd",
            "Stochastic gradient descent with Nesterov's momentum of 0.9 (Sutskever et al. 2013); wants a higher "
            "learning rate.",
        ),
    }
)
SCHEDULES: Table = MappingProxyType(
    {
        "constant": Entry("trainer.training.schedule:constant", "The same learning rate throughout."),
        "cosine": Entry(
            "trainer.training.schedule:cosine", "Down along a cosine (Loshchilov and Hutter 2017)."
        ),
        "plateau": Entry(
            "trainer.training.schedule:plateau",
            "Halved whenever the validation loss has not got better three times in a row.",
        ),
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
        "resnet50": "ResNet-50 (He et al. 2016).",
        "vgg16": "VGG-16 (Simonyan and Zisserman 2015): large and slow.",
        "efficientnet-b0": "EfficientNet-B0 (Tan and Le 2019).",
        "efficientnet-b1": "EfficientNet-B1 (Tan and Le 2019).",
        "efficientnet-b2": "EfficientNet-B2 (Tan and Le 2019).",
        "efficientnet-b3": "EfficientNet-B3 (Tan and Le 2019).",
        "mit_b0": "Mix Transformer B0 (Xie et al. 2021).",
        "mit_b1": "Mix Transformer B1 (Xie et al. 2021).",
    }
)
NORMALIZATIONS: Sentences = MappingProxyType(
    {
        "percentile": "Each channel of a slice is divided by its own 99.5th percentile: brightness and bit depth "
        "make no difference.",
        "imagenet": "Divided by the full range of the data type.",
        "min_max": "Each channel from the smallest to the largest value of the patient's volume.",
        "z_score": "Each channel by mean and standard deviation of the patient's volume, background left out.",
    }
)
SPLITS: Sentences = MappingProxyType(
    {
        "patient": "No patient is in two of the parts: the numbers hold for patients that the model never saw.",
        "slice": "Neighbouring slices of a patient may be in different parts: the numbers can come out too good.",
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
        "other_channel": "Probability that a slice without tumour shows a channel other than `main_channel` alone, in "
        "grey: of another sequence, only the absence of tumour is sure.",
        "main_channel": "The channel that the masks were drawn on, from 0; null: FLAIR where the dataset names it.",
        "crop": "Side of a random crop in pixels, a multiple of 16; 0 for none.",
        "crop_until": "Fraction of the epochs after which whole slices are seen.",
    }
)


def check(names: Iterable[str], name: str, field: str) -> None:
    """Raise InvalidFields, naming what there is, unless `name` is one of `names`."""
    known = sorted(names)
    if name not in known:
        raise InvalidFields(errors={field: [_unknown(known, name)]})


def wrong_architecture(
    architecture: str, encoder: str | None, options: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """What keeps these from being built, by field: `architecture`, `encoder`, `architecture_options.NAME`."""
    if architecture not in MODELS:
        yield "architecture", _unknown(MODELS, architecture)
        return
    entry = MODELS[architecture]
    if encoder is None and entry.encoders:
        yield "encoder", f"is needed by {architecture}; choose one of: {', '.join(sorted(entry.encoders))}"
    elif encoder is not None and encoder not in entry.encoders:
        own = f"must be null or left out: {architecture} has an encoder of its own"
        yield "encoder", _unknown(entry.encoders, encoder) if entry.encoders else own
    yield from wrong_options(entry.options, options, architecture, "architecture_options")


def wrong_options(
    known: Mapping[str, Option], given: Mapping[str, Any], of: str, field: str
) -> Iterator[tuple[str, str]]:
    """Options that `of` does not have, or outside their limits: `field.NAME`."""
    for name, value in given.items():
        if name not in known:
            yield f"{field}.{name:.60}", f"is not an option of {of}, which has: {', '.join(known) or 'none'}"
        # Written so that NaN fails.
        elif not (type(value) in (int, float) and known[name].minimum <= value <= known[name].maximum):
            low, high = known[name].minimum, known[name].maximum
            yield f"{field}.{name}", f"must be a number from {low:.10g} to {high:.10g}"
        elif known[name].whole and value != int(value):
            yield f"{field}.{name}", "must be a whole number"


def _unknown(names: Iterable[str], name: str) -> str:
    return f"{name!r:.80} is not known here; choose one of: {', '.join(sorted(names))}"


def load(table: Table, name: str, field: str) -> Any:
    """Import what `name` stands for in `table` (for the torch side; the API only checks names)."""
    check(table, name, field)
    module, attribute = table[name].target.split(":")
    return getattr(import_module(module), attribute)
