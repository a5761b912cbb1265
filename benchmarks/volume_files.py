"""What the benchmark of volumes sends: drawn heads, as a zip of a DICOM series and as NIfTI."""

import gzip
import io
import zipfile
from collections.abc import Iterator

import nibabel as nib
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

Size = tuple[int, int, int]  # slices, rows, columns
_SPACING_MM = 1.0


def drawn(size: Size) -> np.ndarray:
    """int16 (D, H, W): an ellipsoid with noise and a bright spot, 12 bits of it used."""
    depth, height, width = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    generator = np.random.default_rng(0)
    # A few different slices of noise: it costs more than all the rest.
    noise = generator.integers(0, 120, (7, height, width))
    volume_DHW = np.empty(size, np.int16)
    for number, z in enumerate(np.linspace(-1, 1, depth)):
        head = (x / 0.7) ** 2 + (y / 0.85) ** 2 + z**2 < 1
        spot = (x - 0.2) ** 2 + (y + 0.1) ** 2 + z**2 < 0.04
        volume_DHW[number] = head * (900 + noise[number % 7]) + spot * 700
    return volume_DHW


def dicom_zip(volume_DHW: np.ndarray) -> bytes:
    """A stored zip of one uncompressed MR image a slice."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for number, data in enumerate(_instances(volume_DHW)):
            archive.writestr(f"{number:05d}.dcm", data)
    return stream.getvalue()


def nifti(volume_DHW: np.ndarray) -> bytes:
    """`.nii.gz` on the same grid."""
    affine = np.diag([-_SPACING_MM, -_SPACING_MM, _SPACING_MM, 1])
    image = nib.Nifti1Image(volume_DHW.transpose(2, 1, 0), affine)
    return gzip.compress(image.to_bytes(), 1)


def _instances(volume_DHW: np.ndarray) -> Iterator[bytes]:
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    _, height, width = volume_DHW.shape
    for number, slice_HW in enumerate(volume_DHW):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.Modality, image.PatientID, image.InstanceNumber = "MR", "benchmark", number + 1
        image.Rows, image.Columns = height, width
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [0, 0, number * _SPACING_MM]
        image.PixelSpacing, image.SliceThickness = [_SPACING_MM, _SPACING_MM], _SPACING_MM
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.PixelData = slice_HW.astype("<i2").tobytes()
        stream = io.BytesIO()
        image.save_as(stream, enforce_file_format=True)
        yield stream.getvalue()
