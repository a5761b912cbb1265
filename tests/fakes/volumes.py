"""NIfTI files and cases of BraTS, small: a bright head with a tumour of three classes in the middle slices."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

LPS = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 23], [0, 0, 1, 0], [0, 0, 0, 1]])
SHAPE = (20, 24, 6)  # as the file has it: columns, rows, slices
NAMES = {"t1": "_t1", "t1ce": "_t1ce", "t2": "_t2", "flair": "_flair", "seg": "_seg"}


def nifti(
    voxels_XYZ: np.ndarray, affine: np.ndarray = LPS, packed: bool = True, version: int = 1, **fields: object
) -> bytes:
    """As nibabel writes it; `fields` are set in the header's bytes afterwards."""
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    data = kind(voxels_XYZ, affine).to_bytes()
    size = 348 if version == 1 else 540
    header = kind.header_class(data[:size], check=False)
    for name, value in fields.items():
        header[name] = value
    data = header.binaryblock + data[size:]
    return gzip.compress(data, 1) if packed else data


def head(seed: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """int16 (X, Y, Z): an elliptic brain between 100 and 400; the first and the last slice are empty."""
    xs, ys, zs = np.indices(shape)
    inside = ((xs - shape[0] / 2) / (0.4 * shape[0])) ** 2 + ((ys - shape[1] / 2) / (0.4 * shape[1])) ** 2 < 1
    inside &= (zs > 0) & (zs < shape[2] - 1)
    return np.where(inside, np.random.default_rng(seed).integers(100, 400, shape), 0).astype(np.int16)


def tumour(shape: tuple[int, int, int] = SHAPE, labels: Sequence[int] = (1, 2, 3)) -> np.ndarray:
    """uint8 (X, Y, Z): a line of each label in slices 2 and 3."""
    voxels = np.zeros(shape, np.uint8)
    for place, label in enumerate(labels):
        voxels[8 + place, 10:14, 2:4] = label
    return voxels


def case_files(
    case: str = "BraTS20_Training_001",
    seed: int = 0,
    names: dict[str, str] = NAMES,
    labels: Sequence[int] = (1, 2, 3),
) -> dict[str, bytes]:
    """`CASE/CASE_t1.nii.gz` and so on; `names` are the endings by modality."""
    files = {}
    for place, (modality, ending) in enumerate(names.items()):
        voxels = tumour(labels=labels) if modality == "seg" else head(seed * 10 + place)
        files[f"{case}/{case}{ending}.nii.gz"] = nifti(voxels)
    return files


def make_brats(root: Path, patients: int = 2) -> Path:
    """Cases BraTS20_Training_000 and so on, of four modalities; slices 1 to 4 show something, 2 and 3 tumour."""
    for number in range(patients):
        for name, data in case_files(f"BraTS20_Training_{number:03d}", number).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return root
