"""ImageNet weights for a network's encoder: from a folder where there is no network, else through smp."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from shared.contract.errors import InvalidFields
from shared.ml.encoder_files import files_of
from shared.ml.models.network import SegmentationNetwork

REMEDY = "set ENCODER_WEIGHTS_DIR to a folder with them, or encoder_weights to null"


def load_encoder_weights(network: SegmentationNetwork, encoder: str | None, folder: Path | None) -> str:
    """Load ImageNet weights into `network`'s encoder; returns where they came from.

    `folder` holds files as their authors publish them; see shared.ml.encoder_files for their names. The weights are for
    red, green and blue: for other channels, the first convolution's are repeated in turn and scaled to the same sum.
    Raises InvalidFields (encoder_weights) when they cannot be had.
    """
    backbone = network.backbone()
    if backbone is None or encoder is None:
        raise _refused("must be null: this architecture has no encoder that was trained before")
    donor, origin = _downloaded(encoder) if folder is None else _from_file(encoder, folder)
    donor.set_in_channels(backbone._in_channels, pretrained=True)
    backbone.load_state_dict(dict(donor.state_dict()))
    return f"imagenet ({origin})"


def _downloaded(encoder: str) -> tuple[Any, str]:
    try:
        return get_encoder(encoder, weights="imagenet"), "segmentation-models-pytorch"
    except Exception as error:  # whatever a download can die of
        message = (
            f"the ImageNet weights of {encoder} cannot be downloaded here ({type(error).__name__}): {REMEDY}"
        )
        raise _refused(message) from error


def _from_file(encoder: str, folder: Path) -> tuple[Any, str]:
    files = files_of(encoder, folder)
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        wanted = f"{encoder}.pth, {encoder}-HASH.pth or the same as .safetensors"
        raise _refused(f"the given folder must hold one file {wanted}; found: {found}")
    donor = get_encoder(encoder, weights=None)
    _fill(donor, files[0])
    return donor, files[0].name


def _fill(donor: nn.Module, file: Path) -> None:
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            # weights_only: a .pth is a pickle, and this refuses anything in it that is not a tensor.
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, pickle, zipfile and safetensors each have their own
        raise _refused(f"{file.name} cannot be read as weights ({type(error).__name__})") from error
    try:
        # smp's encoders leave out the classifier, which the published files carry.
        donor.load_state_dict(dict(state))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise _refused(f"{file.name} does not hold the weights of this encoder: {reason:.300}") from error


def _refused(message: str) -> InvalidFields:
    return InvalidFields(errors={"encoder_weights": [message]})
