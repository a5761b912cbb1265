"""Which image belongs to which mask, by their names alone: `x.png` and `x_mask.png`, or `images/x` and `masks/x`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from shared.datasets.spelling import spelled_path

IMAGE_FOLDERS = frozenset(
    {"images", "image", "imgs", "img", "scans", "scan", "slices", "inputs", "input", "original", "originals"}
)
MASK_FOLDERS = frozenset(
    {
        "masks", "mask", "labels", "label", "segmentations", "segmentation", "segs", "seg", "annotations", "annotation",
        "ground_truth", "groundtruth", "ground-truth", "gt", "targets", "target", "truth",
    }
)  # fmt: skip
_SUFFIX = re.compile(
    r"(?P<stem>.+)[_. -](?:mask|masks|seg|segmentation|label|labels|annotation|gt|groundtruth|ground_truth)",
    re.IGNORECASE | re.DOTALL,
)
Key = tuple[tuple[str, ...], str]  # folders without the one that says image or mask, and the stem


@dataclass(frozen=True)
class Pairs:
    """Images with their masks, and what is left over."""

    pairs: list[tuple[PurePosixPath, PurePosixPath]]
    images_alone: list[PurePosixPath]
    masks_alone: list[PurePosixPath]
    ambiguous: list[PurePosixPath]  # two files that claim the same place


def pair(names: Iterable[str], mask_suffix: str | None = None) -> Pairs:
    """Pair picture files by name; with `mask_suffix` no other ending makes a mask."""
    images: dict[Key, PurePosixPath] = {}
    masks: dict[Key, PurePosixPath] = {}
    ambiguous: list[PurePosixPath] = []
    paths = [PurePosixPath(name) for name in sorted(names)]
    by_folder = {_role_of_folders(path) for path in paths} >= {"mask"}
    for path in paths:
        role, key = _role(path, mask_suffix, by_folder)
        found = masks if role == "mask" else images
        if found.setdefault(key, path) != path:
            ambiguous.append(path)
    _unsuffix(masks, images, mask_suffix)
    both = sorted(images.keys() & masks.keys())
    return Pairs(
        [(images[key], masks[key]) for key in both],
        sorted(images[key] for key in images.keys() - masks.keys()),
        sorted(masks[key] for key in masks.keys() - images.keys()),
        ambiguous,
    )


def without_roles(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The folders of a path without those that only say image or mask."""
    return tuple(name for name in folders if name.lower() not in IMAGE_FOLDERS | MASK_FOLDERS)


def _role(path: PurePosixPath, mask_suffix: str | None, by_folder: bool) -> tuple[str, Key]:
    """The folder says more than the name, the inner one more than the outer: `images/a_label.png` is an image."""
    path = spelled_path(path)
    place = without_roles(path.parts[:-1])
    said = _role_of_folders(path)
    if by_folder and said is not None:
        return said, (place, path.stem)
    stem = _stripped(path.stem, mask_suffix)
    return ("image", (place, path.stem)) if stem is None else ("mask", (place, stem))


def _role_of_folders(path: PurePosixPath) -> str | None:
    for name in reversed(path.parts[:-1]):
        if name.lower() in MASK_FOLDERS | IMAGE_FOLDERS:
            return "mask" if name.lower() in MASK_FOLDERS else "image"
    return None


def _unsuffix(
    masks: dict[Key, PurePosixPath], images: dict[Key, PurePosixPath], mask_suffix: str | None
) -> None:
    """`masks/x_mask.png` belongs to `images/x.png` where there is no `images/x_mask.png`."""
    for key in [key for key in masks if key not in images]:
        stem = _stripped(key[1], mask_suffix)
        plain = (key[0], stem or "")
        if stem is not None and plain in images and plain not in masks:
            masks[plain] = masks.pop(key)


def _stripped(stem: str, mask_suffix: str | None) -> str | None:
    """The stem without its ending, if it has one that says mask."""
    if mask_suffix is not None:
        ends = len(stem) > len(mask_suffix) and stem.lower().endswith(mask_suffix.lower())
        return stem[: -len(mask_suffix)] if ends else None
    match = _SUFFIX.fullmatch(stem)
    return match["stem"] if match else None
