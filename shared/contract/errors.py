"""One tree of errors with stable codes; HTTP statuses are added in the API only."""

from collections.abc import Mapping
from typing import Any, ClassVar

FieldErrors = Mapping[str, list[str]]


class ServiceError(Exception):
    """Base: `code` and `title` on the class; `detail` (one sentence) and `errors` (by field) on the instance."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str | None = None, errors: FieldErrors | None = None) -> None:
        self.detail = self.title if detail is None else detail
        self.errors: dict[str, list[str]] | None = None
        if errors is not None:
            self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with both fields: BaseException alone would forget `errors`."""
        return (type(self), (self.detail, self.errors))


# --- the request ---------------------------------------------------------------------------------


class BadRequest(ServiceError):
    """Not a readable request."""

    code = "bad_request"
    title = "The request cannot be read"


class Unauthenticated(ServiceError):
    """The request has no API key, or one that is not valid."""

    code = "unauthenticated"
    title = "A valid API key is needed"


class Forbidden(ServiceError):
    """The key lacks the scope."""

    code = "forbidden"
    title = "This API key may not do that"


class FromElsewhere(Forbidden):
    """A browser sent it, and no page of ours in this session made it."""

    code = "from_elsewhere"
    title = "No page of this service sent this"


class NotFound(ServiceError):
    """No such thing, or another owner's."""

    code = "not_found"
    title = "There is no such thing"


class Conflict(ServiceError):
    """The state forbids it."""

    code = "conflict"
    title = "The present state does not allow that"


class IdempotencyInProgress(Conflict):
    """The same Idempotency-Key is still being worked on."""

    code = "idempotency_in_progress"
    title = "A request with this Idempotency-Key is still in progress"


class Gone(ServiceError):
    """Expired or deleted."""

    code = "gone"
    title = "It has expired or was deleted"


class PayloadTooLarge(ServiceError):
    """More bytes than the route takes."""

    code = "payload_too_large"
    title = "The upload is too large"


class InvalidFields(ServiceError):
    """Understood, and wrong; `errors` names every field."""

    code = "invalid_fields"
    title = "Some fields are not valid"


class IdempotencyMismatch(InvalidFields):
    """The same Idempotency-Key came with other content."""

    code = "idempotency_mismatch"
    title = "This Idempotency-Key was used for another request"


class UnknownModel(InvalidFields):
    """No model has this id or alias."""

    code = "unknown_model"
    title = "There is no such model"


# --- the picture ---------------------------------------------------------------------------------


class ImageError(ServiceError):
    """The uploaded image cannot be used."""

    code = "invalid_image"
    title = "The image cannot be used"


class UnsupportedFormat(ImageError):
    """A format that is not taken."""

    code = "unsupported_format"
    title = "This image format is not supported"


class UndecodableImage(ImageError):
    """The format is right and the content is broken."""

    code = "undecodable_image"
    title = "The image cannot be decoded"


class TooManyPixels(ImageError):
    """More pixels than the route takes."""

    code = "too_many_pixels"
    title = "The image has too many pixels"


class ImageTooSmall(ImageError):
    """Too few pixels to say anything about."""

    code = "image_too_small"
    title = "The image is too small"


class EmptyImage(ImageError):
    """A file without a byte."""

    code = "empty_image"
    title = "The image file is empty"


# --- volumes -------------------------------------------------------------------------------------


class UnsafeFile(ImageError):
    """A file that is a program as well."""

    code = "unsafe_file"
    title = "The file could do harm"


class UnsafeUpload(ImageError):
    """An archive of slices that could do harm."""

    code = "unsafe_upload"
    title = "The archive is not safe to unpack"


class UnsupportedTransferSyntax(ImageError):
    """Pixels compressed in a way that is not read."""

    code = "unsupported_transfer_syntax"
    title = "This DICOM transfer syntax is not supported"


class UnsupportedPhotometric(ImageError):
    """Pixels whose meaning is not read."""

    code = "unsupported_photometric"
    title = "This kind of colours is not supported"


class WrongModality(ImageError):
    """DICOM of something else than magnetic resonance."""

    code = "wrong_modality"
    title = "This is not an MR image"


class SeveralSeries(ImageError):
    """Files of more than one series in one upload."""

    code = "several_series"
    title = "There is more than one series"


class SeveralPatients(ImageError):
    """Files of more than one patient in one upload."""

    code = "several_patients"
    title = "The files are of several patients"


class MissingGeometry(ImageError):
    """Position, orientation or spacing is missing or senseless."""

    code = "missing_geometry"
    title = "The files do not say where the slices lie"


class MixedGeometry(ImageError):
    """Slices of different sizes, spacings or kinds."""

    code = "mixed_geometry"
    title = "The slices do not fit together"


class MixedOrientation(ImageError):
    """Slices that are not parallel."""

    code = "mixed_orientation"
    title = "The slices lie in different planes"


class DuplicatePositions(ImageError):
    """The same slice twice, or several images of each place."""

    code = "duplicate_positions"
    title = "Several slices lie at the same place"


class MissingSlices(ImageError):
    """A gap that whole slices would fill."""

    code = "missing_slices"
    title = "Slices are missing"


class UnevenGaps(ImageError):
    """The gaps between the slices of a volume differ."""

    code = "uneven_gaps"
    title = "The slices are not evenly apart"


class TooFewSlices(ImageError):
    """Two slices: nothing shows that none is missing between them."""

    code = "too_few_slices"
    title = "There are too few slices"


class GridsDiffer(ImageError):
    """Sequences of one study that are not on the same grid."""

    code = "grids_differ"
    title = "The sequences lie differently"


class MissingModality(ImageError):
    """A sequence that the model needs is not there."""

    code = "missing_modality"
    title = "A sequence is missing"


class SequenceOrderUnknown(ImageError):
    """A file of several sequences that does not say which is which, or of another number of them than was named."""

    code = "sequence_order_unknown"
    title = "Which sequence is which is not known"


# --- not now: try again --------------------------------------------------------------------------


class TryAgain(ServiceError):
    """Nothing is wrong with the request; it may be sent again after `retry_after_s` seconds."""

    code = "unavailable"
    title = "The service cannot take this right now"
    retry_after_s: ClassVar[int] = 5


class QueueUnavailable(TryAgain):
    """Redis cannot be reached."""

    code = "queue_unavailable"
    title = "The queue cannot be reached"


class QueueFull(TryAgain):
    """Too many jobs wait already."""

    code = "queue_full"
    title = "Too many jobs are waiting"
    retry_after_s = 10


class TooManyStreams(TryAgain):
    """Every place for a stream of events is taken."""

    code = "too_many_streams"
    title = "Too many clients follow a training run already"


class NoWorker(TryAgain):
    """No worker was seen lately."""

    code = "no_worker"
    title = "No worker is running"
    retry_after_s = 10


class StorageUnavailable(TryAgain):
    """The database or the file store cannot be reached."""

    code = "storage_unavailable"
    title = "The storage cannot be reached"


class TooManyRequests(TryAgain):
    """This client asks too often."""

    code = "too_many_requests"
    title = "Too many requests"
    retry_after_s = 1


# --- the work ------------------------------------------------------------------------------------


class JobFailed(ServiceError):
    """A job that ends as `failed`; the code goes into its `error`."""

    code = "job_failed"
    title = "The job failed"


class InferenceFailed(JobFailed):
    """The network or what follows it broke."""

    code = "inference_failed"
    title = "The image could not be segmented"


class AttemptsExhausted(JobFailed):
    """Every attempt ended without an answer (the worker died each time)."""

    code = "attempts_exhausted"
    title = "The job was tried too often without an end"


class PixelsGone(JobFailed):
    """Neither Redis nor the file store has the pixels any more."""

    code = "pixels_gone"
    title = "The pixels of the job are gone"


class InvalidMessage(ServiceError):
    """A message from the queue that is not one of ours."""

    code = "invalid_message"
    title = "The message cannot be read"


class ModelUnusable(JobFailed):
    """A model's files are missing, damaged, or do not fit its card."""

    code = "model_unusable"
    title = "The model cannot be used"


class DatasetError(JobFailed):
    """A dataset that is not what its reader expects; `detail` names the file."""

    code = "dataset_invalid"
    title = "The dataset cannot be read"


class UnsafeArchive(DatasetError):
    """An archive that could do harm: paths that lead out of it, links, bombs, archives in archives."""

    code = "unsafe_archive"
    title = "The archive is not safe to unpack"


class DatasetGone(JobFailed):
    """The dataset was deleted, or its folder is not there any more."""

    code = "dataset_gone"
    title = "The dataset is not there any more"


class DiskFull(JobFailed):
    """No space left where a worker writes."""

    code = "disk_full"
    title = "The disk of the worker is full"


class OutOfMemory(JobFailed):
    """More memory than the device or the machine has."""

    code = "out_of_memory"
    title = "The memory of the worker was not enough"


class LossNotFinite(JobFailed):
    """The loss became infinite or not a number."""

    code = "loss_not_finite"
    title = "The loss is not a finite number any more"


class TrainingFailed(JobFailed):
    """Whatever else broke in a training run."""

    code = "training_failed"
    title = "The training run broke off"


class EvaluationFailed(JobFailed):
    """Whatever broke in an evaluation."""

    code = "evaluation_failed"
    title = "The evaluation could not be done"


class VolumeFailed(JobFailed):
    """Whatever broke while a volume was read, segmented or written."""

    code = "volume_failed"
    title = "The volume could not be segmented"


class PacsUnavailable(JobFailed):
    """No answer, or no useful one, after several tries."""

    code = "pacs_unavailable"
    title = "The DICOMweb server cannot be reached"


class PacsRefused(JobFailed):
    """It wants other credentials, or does not take what is stored."""

    code = "pacs_refused"
    title = "The DICOMweb server refused"


class SeriesNotFound(JobFailed):
    """Nothing there under these UIDs."""

    code = "series_not_found"
    title = "The DICOMweb server has no such series"
