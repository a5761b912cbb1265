"""ImageNet weights for a network's encoder: from a folder where there is no network, else through smp."""

from pathlib import Path

import segmentation_models_pytorch as smp
import torch

from shared.contract.errors import InvalidFields
from shared.ml.models.unet import SmpUnet


def load_encoder_weights(network: SmpUnet, encoder: str, folder: Path | None) -> str:
    """Load ImageNet weights into `network`'s encoder; returns where they came from.

    `folder` holds files as their authors publish them, named after the encoder: `mobilenet_v2*.pth`.
    Raises InvalidFields (encoder_weights) when they cannot be had.
    """
    if folder is None:
        try:
            donor = smp.Unet(encoder, encoder_weights="imagenet")
        except Exception as error:  # whatever a download can die of
            message = (
                f"the ImageNet weights of {encoder} cannot be downloaded here ({type(error).__name__}): set "
                "ENCODER_WEIGHTS_DIR to a folder with them, or encoder_weights to null"
            )
            raise InvalidFields(errors={"encoder_weights": [message]}) from error
        network.net.encoder.load_state_dict(donor.encoder.state_dict())
        return "imagenet (segmentation-models-pytorch)"
    files = sorted(folder.glob(f"{encoder}*.pth"))
    if len(files) != 1:
        raise InvalidFields(
            errors={"encoder_weights": [f"{len(files)} files {encoder}*.pth in the given folder; need one"]}
        )
    # weights_only: a .pth is a pickle, and this refuses anything in it that is not a tensor.
    state = torch.load(files[0], map_location="cpu", weights_only=True)
    # smp's encoders ignore the classifier, which the published files carry.
    network.net.encoder.load_state_dict(dict(state))
    return f"imagenet ({files[0].name})"
