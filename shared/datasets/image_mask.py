"""Any folder of images and masks, paired by their names."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from shared.contract.errors import DatasetError
from shared.datasets.base import Contents, Finding, OnProgress, SliceDataset, SliceFile, in_order
from shared.datasets.pairing import Pairs, pair
from shared.datasets.patients import kinds_of, nameless, patients_of, split_number
from shared.datasets.pictures import is_picture
from shared.datasets.source import Source, source_of


class ImageMaskDataset(SliceDataset):
    """`x.png` with `x_mask.png`, or `images/x.png` with `masks/x.png`; PNG, JPEG, TIFF, BMP.

    `patient_pattern`: a regular expression that finds the patient's name in an image's path. `mask_suffix`: how
    masks' names end, where it is none of the usual endings.
    """

    format = "image_mask"

    def __init__(
        self, root: Path | Source, patient_pattern: str | None = None, mask_suffix: str | None = None
    ) -> None:
        super().__init__(source_of(root))
        self._pattern, self._suffix = patient_pattern, mask_suffix

    @classmethod
    def fits(cls, names: Sequence[str]) -> bool:
        """Whether there is any pair among these files."""
        return bool(pair(filter(is_picture, names)).pairs)

    def contents(self, on_progress: OnProgress = lambda done, of: None) -> Contents:
        """Raises DatasetError where not a single image has a mask."""
        paired = pair(filter(is_picture, self.source.names()), self._suffix)
        if not paired.pairs:
            raise DatasetError(
                "no image with a mask was found: name masks like their images with _mask at the end, or put them "
                "under the same names into folders images and masks"
            )
        patients = patients_of([image for image, _ in paired.pairs], self.source, self._pattern)
        findings = _left_over(paired)
        named, untold = _named(paired.pairs, patients.names)
        findings += nameless(untold, patients.told_by)
        kinds = kinds_of([image for image, _ in paired.pairs])
        if kinds and patients.told_by in ("folder", "file_name"):
            detail = f"Folders named after kinds tell no patients apart: {', '.join(kinds[:5])}."
            findings.append(Finding("warning", "folders_are_kinds", detail))
        if patients.told_by == "file_name":
            detail = "Patients were told by the file names without the number at their end; see that this is right."
            findings.append(Finding("warning", "patients_by_file_name", detail))
        return Contents(in_order(named), findings, patients.told_by)


def _left_over(paired: Pairs) -> list[Finding]:
    kinds = (
        ("image_without_mask", "These images have no mask (without tumour it is black).", paired.images_alone),
        ("mask_without_image", "These masks have no image.", paired.masks_alone),
        ("ambiguous_pair", "Another file claims the same place as these.", paired.ambiguous),
    )  # fmt: skip
    return [Finding.of("error", code, detail, files) for code, detail, files in kinds if files]


def _named(
    pairs: Sequence[tuple[PurePosixPath, PurePosixPath]], patients: Sequence[str | None]
) -> tuple[list[SliceFile], list[PurePosixPath]]:
    """Slices with a position in their patient's volume, and the images whose patient is not known."""
    of_patient: defaultdict[str, list[tuple[PurePosixPath, PurePosixPath]]] = defaultdict(list)
    untold = []
    for files, patient in zip(pairs, patients, strict=True):
        if patient is None:
            untold.append(files[0])
        else:
            of_patient[patient].append(files)
    found = []
    for patient, both in of_patient.items():
        for index, (image, mask) in zip(_positions([image for image, _ in both]), both, strict=True):
            found.append(SliceFile(patient, index, image, mask))
    return found, untold


def _positions(images: Sequence[PurePosixPath]) -> list[int]:
    """The numbers in the names where they tell all images apart, else the places in the list."""
    numbers = [number for image in images if (number := split_number(image.stem)[1]) is not None]
    return numbers if len(set(numbers)) == len(images) else list(range(len(images)))
