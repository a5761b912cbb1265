"""Why volumes fail, in words for a person: never a name, a UID or a path."""

from shared.contract.errors import ImageError, ServiceError, VolumeFailed
from trainer.jobs.failures import FailureWords, failure_in
from trainer.volumes.volume_order import VolumeChildOrder

WORDS = FailureWords(
    failed=VolumeFailed,
    broke_off="The volume could not be segmented ({}).",
    disk_full="The disk of the worker is full; send the volume again later.",
    out_of_memory="The volume needs more memory than the worker gives one.",
    killed_for_memory="The volume needs more memory than the worker has.",
)


def explain(error: Exception, order: VolumeChildOrder) -> ServiceError:
    """Why a volume's process broke off; what is wrong with the files themselves is said as it is."""
    return error if isinstance(error, ImageError) else failure_in(error, WORDS)
