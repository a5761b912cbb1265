"""Two folders of pictures, with tumour and without, and no masks: a circle over the brightest place stands for one."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from shared.contract.errors import DatasetError
from shared.datasets.base import Contents, Finding, OnProgress, SliceDataset, SliceFile, in_order
from shared.datasets.patients import nameless, regrouped, stated_patients
from shared.datasets.pictures import MaskFile, is_picture, read_picture
from shared.datasets.recent import Recent
from shared.datasets.source import Source, source_of
from shared.datasets.synthetic_circle import place_circle
from shared.pictures.picture import Picture

_YES = frozenset(
    {"yes", "y", "tumor", "tumors", "positive", "pos", "abnormal", "glioma", "meningioma", "pituitary"}
)
_NO = frozenset({"no", "n", "notumor", "notumors", "withouttumor", "healthy", "normal", "negative", "neg"})
_LETTERS = re.compile(r"[^a-z]+")


class YesNoDataset(SliceDataset):
    """Grey pictures; each is a patient, except that equal files are one: else a copy in the test would be known.

    The folder next to a picture decides, of those that say yes or no.
    """

    format = "yes_no"
    truth = "synthetic circles placed by brightness, no expert's masks"

    def __init__(self, root: Path | Source, patient_pattern: str | None = None) -> None:
        super().__init__(source_of(root))
        self._pattern = patient_pattern
        self._recent: Recent[PurePosixPath, Picture] = Recent(self._read_picture, 1)

    @classmethod
    def fits(cls, names: Sequence[str]) -> bool:
        """Whether there are pictures of both kinds, and none of no kind."""
        kinds = {_says_tumour(PurePosixPath(name)) for name in names if is_picture(name)}
        return kinds == {True, False}

    @property
    def channels(self) -> int:
        """Grey."""
        return 1

    def contents(self, on_progress: OnProgress = lambda done, of: None) -> Contents:
        """Reads every file once for its digest, and decodes none; `on_progress(files, of)`."""
        paths = [path for path in map(PurePosixPath, self.source.names()) if is_picture(path.name)]
        told = [path for path in paths if _says_tumour(path) is not None]
        if {_says_tumour(path) for path in told} != {True, False}:
            raise DatasetError("no two folders of pictures were found whose names say yes and no")
        copies: defaultdict[bytes, list[PurePosixPath]] = defaultdict(list)
        for done, path in enumerate(told, 1):
            copies[hashlib.blake2b(self.source.read(path), digest_size=16).digest()].append(path)
            on_progress(done, len(told))
        slices = [
            SliceFile(str(same[0]), index, path, path)
            for same in copies.values()
            for index, path in enumerate(same)
        ]
        untold = sorted(set(paths) - set(told))
        findings = _findings(list(copies.values()), untold)
        stated = stated_patients([item.image for item in slices], self.source, self._pattern)
        if stated is None:
            return Contents(in_order(slices), findings, "content")
        named, without_name = regrouped(slices, stated)
        return Contents(named, [*nameless(without_name, stated.told_by), *findings], stated.told_by)

    def picture(self, item: SliceFile) -> Picture:
        """Grey, whatever the file has; raises ImageError."""
        return self._recent.get(item.image)

    def mask(self, item: SliceFile) -> MaskFile:
        """The circle of a picture with tumour, or nothing; raises ImageError."""
        grey_HW = self.picture(item).pixels[..., 0]
        if not _says_tumour(item.image):
            return MaskFile(np.zeros(grey_HW.shape, np.uint8), False)
        circle = place_circle(grey_HW)
        painted_HW = circle.paint(*grey_HW.shape).astype(np.uint8)
        return MaskFile(painted_HW, False, None if circle.in_brain else "no_brain")

    def _read_picture(self, path: PurePosixPath) -> Picture:
        picture = read_picture(self.source, path)
        if picture.channels == 1:
            return picture
        grey_HW1 = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY)[..., None]
        return replace(picture, pixels=np.ascontiguousarray(grey_HW1))


def _says_tumour(path: PurePosixPath) -> bool | None:
    """What the folders around a picture say, the inner one first; None where none says anything."""
    for folder in reversed(path.parts[:-1]):
        word = _LETTERS.sub("", folder.lower()).replace("tumour", "tumor")
        if word in _NO:
            return False
        if word in _YES or word.removesuffix("tumor") in _YES:
            return True
    return None


def _findings(copies: Sequence[Sequence[PurePosixPath]], untold: Sequence[PurePosixPath]) -> list[Finding]:
    found = []
    both = [path for same in copies if len({_says_tumour(path) for path in same}) > 1 for path in same]
    if both:
        detail = "These pictures are with tumour and without, byte for byte the same."
        found.append(Finding.of("error", "contradiction", detail, both))
    detail = (
        "The masks are circles placed by brightness, not an expert's: scores say nothing about real tumours."
    )
    found.append(Finding("warning", "synthetic_masks", detail))
    again = [path for same in copies for path in same[1:]]
    if again:
        detail = "These pictures are copies of others, byte for byte; they count as the same patient."
        found.append(Finding.of("warning", "copies", detail, again))
    if untold:
        detail = "These pictures are in no folder that says whether there is a tumour, and are left out."
        found.append(Finding.of("warning", "left_out", detail, untold))
    return found
