"""Random changes to a slice and its mask together; every draw comes from torch's generator, so a seed repeats it."""

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from shared.recipe import Augmentation


class Augment:
    """image float (C, H, W) in 0..1 and mask or labels (1, H, W) -> the same, changed."""

    def __init__(self, options: Augmentation, crop: int, main_channel: int = 0) -> None:
        self.options, self.main_channel = options, main_channel
        self.geometry = v2.Compose(_geometry(options, crop))

    def __call__(self, image_CHW: torch.Tensor, mask_1HW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        channels = len(image_CHW)
        if (image_CHW == image_CHW[:1]).all():  # a slice in grey stays one
            image_CHW = image_CHW[:1]
        image, mask = self.geometry(tv_tensors.Image(image_CHW), tv_tensors.Mask(mask_1HW))
        free = not bool(mask.any())
        image_CHW = self._channels(self._intensity(image.as_subclass(torch.Tensor)), free)
        return image_CHW.expand(channels, -1, -1).clone(), mask.as_subclass(torch.Tensor)

    def _intensity(self, image_CHW: torch.Tensor) -> torch.Tensor:
        """Gamma, contrast and brightness for each channel on its own: sequences vary independently."""
        o = self.options
        gamma, contrast, brightness = torch.empty(3, len(image_CHW), 1, 1).uniform_(-1, 1)
        foreground = image_CHW > 0.02  # black stays black: air has no signal whatever the exposure
        changed = image_CHW.clamp(min=1e-4) ** torch.exp(gamma * o.gamma)
        changed = changed * (1 + contrast * o.contrast) + brightness * o.brightness
        if o.noise:
            changed = changed + torch.randn_like(changed) * (o.noise * torch.rand(1))
        image_CHW = torch.where(foreground, changed, image_CHW).clamp(0, 1)
        if torch.rand(1) < o.blur:
            image_CHW = functional.gaussian_blur(
                image_CHW, [5, 5], [float(torch.empty(1).uniform_(0.4, 1.2))]
            )
        return image_CHW

    def _channels(self, image_CHW: torch.Tensor, free: bool) -> torch.Tensor:
        """What happens to real uploads: a grey slice, or a sequence that was not acquired; `free` of tumour."""
        o = self.options
        draw = float(torch.rand(1))
        if len(image_CHW) == 1:
            return image_CHW
        others = [c for c in range(len(image_CHW)) if c != self.main_channel]
        main = image_CHW[self.main_channel]
        if draw < o.repeat_channel:
            return main.expand_as(image_CHW).clone()
        if draw < o.repeat_channel + o.missing_channel:
            image_CHW = image_CHW.clone()
            image_CHW[others[int(torch.randint(len(others), (1,)))]] = main
        elif free and draw >= 1 - o.other_channel:
            # Masks were drawn on the main channel: of another, only what has no tumour is known.
            return image_CHW[others[int(torch.randint(len(others), (1,)))]].expand_as(image_CHW).clone()
        return image_CHW


def _geometry(o: Augmentation, crop: int) -> list[v2.Transform]:
    steps: list[v2.Transform] = [
        v2.RandomHorizontalFlip(o.flip_horizontal),
        v2.RandomVerticalFlip(o.flip_vertical),
    ]
    if o.affine:
        # Bilinear for the image; v2 takes the nearest neighbour for masks by itself.
        affine = v2.RandomAffine(
            o.degrees, (o.translate, o.translate), (1 - o.scale, 1 + o.scale), o.shear,
            interpolation=v2.InterpolationMode.BILINEAR,
        )  # fmt: skip
        steps.append(v2.RandomApply([affine], o.affine))
    if crop:
        steps.append(v2.RandomCrop(crop))
    return steps
