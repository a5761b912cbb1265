"""MR series as scanners write them, small: any orientation, spacing and tilt, single and multi-frame, any encoding."""

import copy
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

MR, ENHANCED, LEGACY = (f"1.2.840.10008.5.1.4.1.1.4{last}" for last in ("", ".1", ".4"))
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
RLE = "1.2.840.10008.1.2.5"
_JPEG = "1.2.840.10008.1.2.4."
_ROOT = "1.2.826.0.1.3680043.10.1234"
_GDCM = {
    RLE: gdcm.TransferSyntax.RLELossless,
    _JPEG + "50": gdcm.TransferSyntax.JPEGBaselineProcess1,
    _JPEG + "51": gdcm.TransferSyntax.JPEGExtendedProcess2_4,
    _JPEG + "57": gdcm.TransferSyntax.JPEGLosslessProcess14,
    _JPEG + "70": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    _JPEG + "80": gdcm.TransferSyntax.JPEGLSLossless,
    _JPEG + "81": gdcm.TransferSyntax.JPEGLSNearLossless,
    _JPEG + "90": gdcm.TransferSyntax.JPEG2000Lossless,
    _JPEG + "91": gdcm.TransferSyntax.JPEG2000,
}
LOSSLESS = (RLE, *(_JPEG + last for last in ("57", "70", "80", "90")))
LOSSY = tuple(_JPEG + last for last in ("50", "51", "81", "91"))
# Where a scanner or a clerk writes something about the patient.
PATIENT_TAGS = (
    "PatientName", "PatientID", "OtherPatientNames", "PatientAddress", "PatientComments", "InstitutionName",
    "ReferringPhysicianName", "OperatorsName", "StudyID", "AccessionNumber", "StudyDescription", "SeriesDescription",
    "ProtocolName", "StationName", "ImageComments", "DeviceSerialNumber",
)  # fmt: skip


@dataclass(frozen=True)
class Lie:
    """How slices lie, in DICOM's millimetres (left, back, head); `step` leads from one slice to the next."""

    origin: Sequence[float] = (-8.0, -12.0, -20.0)
    row: Sequence[float] = (1.0, 0.0, 0.0)
    column: Sequence[float] = (0.0, 1.0, 0.0)
    step: Sequence[float] = (0.0, 0.0, 3.0)
    spacing: tuple[float, float] = (0.9, 0.8)  # of rows, of columns

    def position(self, z: float) -> np.ndarray:
        return np.array(self.origin, float) + z * np.array(self.step, float)

    def point(self, x: float, y: float, z: float) -> np.ndarray:
        """(3,) of the centre of a voxel: PS3.3, C.7.6.2.1.1."""
        across = x * self.spacing[1] * np.array(self.row, float)
        return self.position(z) + across + y * self.spacing[0] * np.array(self.column, float)


AXIAL = Lie()
CORONAL = Lie(column=(0.0, 0.0, -1.0), step=(0.0, 2.5, 0.0), origin=(-8.0, -10.0, 11.0))
SAGITTAL = Lie(row=(0.0, 1.0, 0.0), column=(0.0, 0.0, -1.0), step=(-2.0, 0.0, 0.0), origin=(10.0, -9.0, 8.0))
TILTED = Lie(step=(0.0, 0.7, 3.0))  # a gantry that is not at right angles to the table


@dataclass
class Uids:
    """UIDs that count up: the same series comes out the same each time."""

    seed: int = 1
    count: Any = field(default_factory=itertools.count)

    def __call__(self) -> str:
        return f"{_ROOT}.{self.seed}.{next(self.count) + 1}"


def head(shape: tuple[int, ...] = (5, 24, 20), seed: int = 0, top: int = 400) -> np.ndarray:
    """uint16 (slices, rows, columns): an elliptic brain between 100 and `top` on black."""
    _, ys, xs = np.indices(shape)
    inside = ((xs / shape[2] - 0.5) / 0.4) ** 2 + ((ys / shape[1] - 0.5) / 0.4) ** 2 < 1
    return np.where(inside, np.random.default_rng(seed).integers(100, top, shape), 0).astype(np.uint16)


def series(
    voxels_ZYX: np.ndarray, lie: Lie = AXIAL, *, bits: int | None = None, seed: int = 1, **attributes: Any
) -> list[Dataset]:
    """One MR Image per slice of (slices, rows, columns), or with a last axis of 3 for RGB; explicit little endian.

    All attributes of type 1 and 2 are there; `attributes` are set in every slice afterwards (None deletes).
    """
    uids = Uids(seed)
    study = _study(uids)
    made = []
    for z, slice_YX in enumerate(voxels_ZYX):
        dataset = _instance(study, MR, uids, z + 1)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        dataset.update(_acquisition())
        dataset.ImagePositionPatient = decimals(lie.position(z))
        dataset.ImageOrientationPatient = decimals([*lie.row, *lie.column])
        dataset.PixelSpacing = decimals(lie.spacing)
        dataset.SliceThickness = dataset.SpacingBetweenSlices = decimals([np.linalg.norm(lie.step)])[0]
        _set_pixels(dataset, slice_YX[None], bits)
        set_all(dataset, attributes)
        made.append(dataset)
    return made


def enhanced(
    voxels_ZYX: np.ndarray,
    lie: Lie = AXIAL,
    *,
    order: Sequence[int] | None = None,
    shared: Sequence[str] = ("PlaneOrientationSequence", "PixelMeasuresSequence"),
    sop_class: str = ENHANCED,
    bits: int | None = None,
    seed: int = 2,
    **attributes: Any,
) -> Dataset:
    """One multi-frame instance, its frames in `order`; groups named in `shared` are so, the others per frame.

    Groups that say how a scanner worked (echoes, coils and so on) are left out.
    """
    uids = Uids(seed)
    dataset = _instance(_study(uids), sop_class, uids, 1)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    organization = uids()
    dataset.DimensionOrganizationSequence = [_of(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        _of(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=tag,
            FunctionalGroupPointer=0x00209111,
        )
        for tag in (0x00209056, 0x00209057)  # StackID and InStackPositionNumber of FrameContentSequence
    ]
    order = range(len(voxels_ZYX)) if order is None else order
    frames = []
    for place, z in enumerate(order):
        groups = Dataset()
        groups.FrameContentSequence = [
            _of(DimensionIndexValues=[1, z + 1], StackID="1", InStackPositionNumber=z + 1)
        ]
        groups.PlanePositionSequence = [_of(ImagePositionPatient=decimals(lie.position(z)))]
        cosines = decimals([*lie.row, *lie.column])
        groups.PlaneOrientationSequence = [_of(ImageOrientationPatient=cosines)]
        measures = _of(
            PixelSpacing=decimals(lie.spacing), SliceThickness=decimals([np.linalg.norm(lie.step)])[0]
        )
        groups.PixelMeasuresSequence = [measures]
        groups.PixelValueTransformationSequence = [
            _of(RescaleSlope="1", RescaleIntercept="0", RescaleType="US")
        ]
        groups.FrameVOILUTSequence = [_of(WindowCenter=str(200 + place), WindowWidth="300")]
        frames.append(groups)
    common = Dataset()
    for keyword in shared:
        setattr(common, keyword, getattr(frames[0], keyword))
        for groups in frames:
            delattr(groups, keyword)
    dataset.SharedFunctionalGroupsSequence = [common]
    dataset.PerFrameFunctionalGroupsSequence = frames
    _set_pixels(dataset, voxels_ZYX[list(order)], bits)
    dataset.NumberOfFrames = len(frames)
    set_all(dataset, attributes)
    return dataset


def planted(text: str) -> dict[str, str]:
    """Attributes for `series` and `enhanced` with `text` and a number in every place that may name a patient."""
    return {keyword: f"{text}{number}" for number, keyword in enumerate(PATIENT_TAGS)}


def set_all(dataset: Dataset, attributes: dict[str, Any]) -> None:
    """Set by keyword; None deletes."""
    for keyword, value in attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)


def decimals(values: Sequence[float] | np.ndarray) -> list[str]:
    """As DICOM writes them: at most 16 characters."""
    return [format_number_as_ds(float(value)) for value in values]


def encoded(dataset: Dataset, syntax: str) -> Dataset:
    """The same instance in another transfer syntax. Native ones by hand, RLE by pydicom, the others by GDCM."""
    made = copy.deepcopy(dataset)
    made.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian and dataset.BitsAllocated == 16:
        made.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    if syntax in _GDCM:
        made.PixelData = encapsulate(_by_gdcm(dataset, syntax))
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
    return made


def as_bytes(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The file."""
    buffer = pydicom.filebase.DicomBytesIO()
    encoded(dataset, syntax).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write(folder: Path, datasets: Sequence[Dataset], syntax: str = ExplicitVRLittleEndian) -> list[Path]:
    """Files 00000, 00001 and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:05d}" for index in range(len(datasets))]
    for path, dataset in zip(paths, datasets, strict=True):
        path.write_bytes(as_bytes(dataset, syntax))
    return paths


def _by_gdcm(dataset: Dataset, syntax: str) -> list[bytes]:
    """The compressed frames."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = str(Path(folder) / "before"), str(Path(folder) / "after")
        dataset.save_as(before, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(before)
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(_GDCM[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change(), "GDCM cannot encode this"
        writer = gdcm.ImageWriter()
        writer.SetFileName(after)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        changed = pydicom.dcmread(after)
        assert changed.file_meta.TransferSyntaxUID == syntax
        return list(
            generate_frames(changed.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1)))
        )


def _of(**attributes: Any) -> Dataset:
    dataset = Dataset()
    set_all(dataset, attributes)
    return dataset


def _study(uids: Uids) -> Dataset:
    """What all instances of a series share."""
    return _of(
        PatientName="Fake^Patient",
        PatientID="FAKE-1",
        PatientBirthDate="19700101",
        PatientSex="O",
        StudyInstanceUID=uids(),
        StudyDate="20240102",
        StudyTime="101500",
        ReferringPhysicianName="",
        StudyID="1",
        AccessionNumber="",
        Modality="MR",
        SeriesInstanceUID=uids(),
        SeriesNumber=3,
        SeriesDate="20240102",
        SeriesTime="101600",
        Laterality="",
        PatientPosition="HFS",
        FrameOfReferenceUID=uids(),
        PositionReferenceIndicator="",
        Manufacturer="Nobody",
        ManufacturerModelName="Synthetic",
        DeviceSerialNumber="0",
        SoftwareVersions="1",
    )


def _instance(study: Dataset, sop_class: str, uids: Uids, number: int) -> Dataset:
    dataset = copy.deepcopy(study)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uids()
    dataset.InstanceNumber = number
    dataset.ContentDate, dataset.ContentTime = "20240102", "101700"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    return dataset


def _acquisition() -> Dataset:
    """The MR Image module's attributes of types 1 and 2."""
    return _of(
        ScanningSequence="SE",
        SequenceVariant="NONE",
        ScanOptions="",
        MRAcquisitionType="2D",
        RepetitionTime="500",
        EchoTime="10",
        EchoTrainLength=1,
        MagneticFieldStrength="1.5",
    )


def _set_pixels(dataset: Dataset, frames_NYX: np.ndarray, bits: int | None) -> None:
    """Little endian; signed ones without their sign above BitsStored."""
    dtype = frames_NYX.dtype
    dataset.SamplesPerPixel = 3 if frames_NYX.ndim == 4 else 1
    dataset.PhotometricInterpretation = "RGB" if frames_NYX.ndim == 4 else "MONOCHROME2"
    if frames_NYX.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = frames_NYX.shape[1:3]
    dataset.BitsAllocated = dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(dtype.kind == "i")
    unsigned = frames_NYX.view(f"u{dtype.itemsize}") & ((1 << dataset.BitsStored) - 1)
    data = unsigned.astype(f"<u{dtype.itemsize}").tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if dtype.itemsize == 2 else "OB"
