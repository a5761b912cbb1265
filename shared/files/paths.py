"""Where in the file store what lies; ids are those of the database."""


def pixels_path(segmentation_id: str) -> str:
    """A segmentation's decoded pixels: HWC uint8 or uint16 as .npy."""
    return f"segmentations/{segmentation_id}/pixels.npy"


def probability_path(segmentation_id: str) -> str:
    """A segmentation's probabilities: 8-bit grey PNG of the upload's size, 255 is 1.0."""
    return f"segmentations/{segmentation_id}/probability.png"


def source_path(segmentation_id: str) -> str:
    """A volume's files as they were sent, in a zip, until its job has ended."""
    return f"segmentations/{segmentation_id}/source.zip"


def volume_path(segmentation_id: str) -> str:
    """A volume's pixels: (slices, height, width, channels) uint8 or uint16 as .npy in C order."""
    return f"segmentations/{segmentation_id}/volume.npy"


def probability_zip_path(segmentation_id: str) -> str:
    """A volume's probabilities: a zip with a grey PNG a slice, `00012.png`."""
    return f"segmentations/{segmentation_id}/probability.zip"


def labels_zip_path(segmentation_id: str) -> str:
    """A volume's classes, where the model tells several apart: a zip with a palette PNG a slice, `00012.png`."""
    return f"segmentations/{segmentation_id}/labels.zip"


def labels_path(segmentation_id: str) -> str:
    """A picture's classes, where the model tells several apart: palette PNG."""
    return f"segmentations/{segmentation_id}/labels.png"


def nifti_path(segmentation_id: str) -> str:
    """A volume's mask, on the grid of its file."""
    return f"segmentations/{segmentation_id}/mask.nii.gz"


def segmentation_object_path(segmentation_id: str) -> str:
    """A DICOM volume's mask as DICOM SEG: the one file that holds what the source said of the patient."""
    return f"segmentations/{segmentation_id}/segmentation.dcm"


def segmentation_folder(segmentation_id: str) -> str:
    """All files of a segmentation."""
    return f"segmentations/{segmentation_id}"


def dataset_folder(dataset_id: str) -> str:
    """All files of a dataset."""
    return f"datasets/{dataset_id}"


def dataset_archive_path(dataset_id: str) -> str:
    """A dataset's zip, as it was uploaded."""
    return f"datasets/{dataset_id}/archive.zip"


def run_folder(run_id: str) -> str:
    """All files of a training run."""
    return f"training-runs/{run_id}"


def run_log_path(run_id: str) -> str:
    """What a training run's processes wrote, UTF-8."""
    return f"training-runs/{run_id}/log.txt"


def run_picture_path(run_id: str, name: str) -> str:
    """A picture of a training run: `curves` or `samples`, PNG."""
    return f"training-runs/{run_id}/{name}.png"


def checkpoint_path(run_id: str, fence: int, step: int) -> str:
    """A training run's checkpoint; with the fence, a worker that was given up overwrites nobody's."""
    return f"training-runs/{run_id}/checkpoints/{fence}-{step}.safetensors"


def model_folder(model_id: str, fence: int | None = None) -> str:
    """All files of an imported model, or of one that was trained (with the fence of the claim)."""
    return f"models/{model_id}" if fence is None else f"models/{model_id}.{fence}"


def evaluation_folder(evaluation_id: str) -> str:
    """All files of an evaluation."""
    return f"evaluations/{evaluation_id}"


def evaluation_report_path(evaluation_id: str, fence: int) -> str:
    """An evaluation's report, HTML; with the fence, a worker that was given up overwrites nobody's."""
    return f"evaluations/{evaluation_id}/{fence}/report.html"
