"""Why a run failed is said in words for a person, and names no file."""

import errno

import pytest
import torch

from shared.contract.errors import DatasetError, InvalidFields, LossNotFinite, UndecodableImage
from tests.fakes.trainee import order
from trainer.jobs.failures import UNREADABLE
from trainer.training.runs.run_failures import explain

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LossNotFinite("The loss is nan."), "loss_not_finite"),
        (DatasetError("a.tif has no mask"), "dataset_invalid"),
        (InvalidFields(errors={"encoder_weights": ["cannot be had"]}), "training_failed"),
        (FULL, "disk_full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out_of_memory"),
        (ValueError("what is this"), "training_failed"),
    ],
)  # fmt: skip
def test_a_failure_has_a_reason_that_a_person_understands(error, code, tmp_path):
    failure = explain(error, order(tmp_path))
    assert failure.code == code
    assert len(failure.detail) > 5


SECRET = "data/Smith^John/Smith_7.tif"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DatasetError(f"{SECRET} is not there any more."), UNREADABLE),
        (UndecodableImage(f"{SECRET} is damaged."), UNREADABLE),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", SECRET), "No such file or directory"),
        (OSError(errno.EIO, f"cannot read {SECRET}"), "OSError: Input/output error"),
        (OSError(f"cannot identify {SECRET}"), "(OSError)"),
        (ValueError(f"{SECRET} has no mask"), "(ValueError)"),
    ],
)
def test_no_file_is_named(error, said, tmp_path):
    failure = explain(error, order(tmp_path))
    assert "Smith" not in failure.detail and "data/" not in failure.detail
    assert said in failure.detail


def test_the_field_that_was_wrong_is_named(tmp_path):
    failure = explain(InvalidFields(errors={"encoder_weights": ["cannot be had"]}), order(tmp_path))
    assert failure.detail == "encoder_weights: cannot be had"


def test_data_that_went_away_is_said_so(tmp_path):
    for error in (FileNotFoundError("x.tif"), DatasetError("x.tif is not there any more.")):
        assert explain(error, order(tmp_path / "gone")).code == "dataset_gone"


def test_a_feeding_process_that_was_killed_is_worth_another_try(tmp_path):
    error = RuntimeError("DataLoader worker (pid 5) is killed by signal: Killed.")
    assert explain(error, order(tmp_path)) is None
