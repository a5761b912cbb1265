"""A volume's labels as a NIfTI file on the grid of the source, so that both lie on each other in any viewer."""

import gzip
import io

import nibabel as nib
import numpy as np

from shared.volumes.grid import Grid

_SHEAR = 1e-4  # a quaternion cannot say how far axes are from perpendicular; this is rounding
_COMPRESSION = 6


def nifti_mask(labels_DHW: np.ndarray, grid: Grid) -> bytes:
    """uint8 labels (D, H, W) -> gzipped NIfTI-1, uint8, in the source's first three axes and with its affine.

    The same labels give the same bytes. Where nothing is known in millimetres, the header says that units are unknown.
    """
    file_XYZ = grid.in_file_order(labels_DHW)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_COMPRESSION, mtime=0) as file:
        file.write(_header(file_XYZ.shape, grid).binaryblock)
        file.write(bytes(4))  # no extensions; the voxels follow at byte 352
        for slice_XY in np.moveaxis(file_XYZ, 2, 0):
            file.write(slice_XY.astype(np.uint8).tobytes(order="F"))  # the first axis runs fastest
    return packed.getvalue()


def _header(shape: tuple[int, ...], grid: Grid) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    steps = grid.file_affine[:3, :3]
    header.set_zooms(np.linalg.norm(steps, axis=0))
    header.set_xyzt_units("unknown" if grid.spacing_mm is None else "mm")
    header.set_sform(grid.file_affine, code=grid.space)
    if not _sheared(steps):
        header.set_qform(grid.file_affine, code=grid.space)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    header["scl_slope"] = 1
    header["cal_max"] = 0
    return header


def _sheared(steps: np.ndarray) -> bool:
    unit = steps / np.linalg.norm(steps, axis=0)
    return bool(np.abs(unit.T @ unit - np.eye(3)).max() > _SHEAR)
