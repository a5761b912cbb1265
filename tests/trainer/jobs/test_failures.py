"""What broke a job is said in the words of its kind, and never in the error's own."""

import errno

import pytest

from shared.contract.errors import DatasetGone, InvalidFields, VolumeFailed
from trainer.jobs.failures import FailureWords, error_of, failure_in, failure_of, failure_on_dataset

WORDS = FailureWords(VolumeFailed, "broke off ({})", "full", "memory", "killed", "gone")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (DatasetGone("as it says"), "dataset_gone", "as it says"),
        (OSError(errno.EDQUOT, "Smith"), "disk_full", "full"),
        (RuntimeError("No space left on device: Smith"), "disk_full", "full"),
        (MemoryError(), "out_of_memory", "memory"),
        (RuntimeError("CUDA out of memory. Smith"), "out_of_memory", "memory"),
        (OSError(errno.EACCES, "Smith"), "volume_failed", "broke off (PermissionError: Permission denied)"),
        (ValueError("Smith"), "volume_failed", "broke off (ValueError)"),
    ],
)
def test_of_any_error(error, code, says):
    failure = failure_in(error, WORDS)
    assert (failure.code, failure.detail) == (code, says)


def test_a_dataset_that_went_away_is_the_reason_of_whatever_broke(tmp_path):
    assert failure_on_dataset(ValueError(), tmp_path / "none", WORDS).detail == "gone"
    assert failure_on_dataset(ValueError(), tmp_path, WORDS).detail == "broke off (ValueError)"


def test_fields_that_were_wrong_are_named(tmp_path):
    failure = failure_on_dataset(InvalidFields(errors={"a": ["is wrong", "twice"]}), tmp_path, WORDS)
    assert failure.detail == "a: is wrong twice"


def test_an_error_comes_back_by_its_code():
    assert isinstance(failure_of("dataset_gone", "m", VolumeFailed), DatasetGone)
    assert isinstance(failure_of("mixed_orientation", "m", VolumeFailed), VolumeFailed)
    assert error_of("mixed_orientation", "m", VolumeFailed).code == "mixed_orientation"
    assert isinstance(error_of("unknown", "m", VolumeFailed), VolumeFailed)
