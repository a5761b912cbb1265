"""Why an evaluation failed is said in words for a person, and names no file."""

import errno

import pytest

from shared.contract.config import ConfigError
from shared.contract.errors import DatasetError, InvalidFields, ServiceError, UndecodableImage
from trainer.evaluation.evaluation_failures import explain
from trainer.evaluation.evaluation_order import EvaluationChildOrder


def order(data):
    return EvaluationChildOrder("m", None, str(data), "lgg", {}, "d", "all", None, "o", "cpu", 0, nice=0)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (DatasetError("Smith/a.tif is broken"), "dataset_invalid", "upload it again"),
        (UndecodableImage("Smith/a.tif is broken"), "dataset_invalid", "upload it again"),
        (ConfigError("ENGINE is wrong"), "evaluation_failed", "ENGINE is wrong"),
        (
            InvalidFields(errors={"model": ["takes 4 channels"]}),
            "evaluation_failed",
            "model: takes 4 channels",
        ),
        (ServiceError("no test patients"), "evaluation_failed", "no test patients"),
        (OSError(errno.ENOSPC, "x"), "disk_full", "Make room"),
        (MemoryError(), "out_of_memory", "memory"),
        (RuntimeError("CUDA out of memory. Tried"), "out_of_memory", "memory"),
        (KeyError("Smith/a.tif"), "evaluation_failed", "KeyError"),
        (PermissionError(errno.EACCES, "x", "Smith/a.tif"), "evaluation_failed", "Permission denied"),
    ],
)
def test_failures_are_explained(tmp_path, error, code, says):
    failure = explain(error, order(tmp_path))
    assert failure.code == code and says in failure.detail
    assert "Smith" not in failure.detail


def test_a_dataset_whose_files_are_gone_was_deleted(tmp_path):
    assert explain(FileNotFoundError("a.tif"), order(tmp_path / "gone")).code == "dataset_gone"
