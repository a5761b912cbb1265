"""Why a volume failed is said in words for a person, and names no file."""

import pytest

from shared.contract.errors import PacsRefused, UndecodableImage
from trainer.volumes.volume_failures import explain


@pytest.mark.parametrize("error", [UndecodableImage("slice 3 is damaged"), PacsRefused("the server said 403")])
def test_what_is_wrong_with_the_volume_is_said_as_it_is(error):
    assert explain(error, None) is error


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MemoryError(), "out_of_memory", "more memory than the worker gives one"),
        (OSError(28, "Smith"), "disk_full", "send the volume again later"),
        (KeyError("Smith"), "volume_failed", "(KeyError)"),
    ],
)
def test_what_else_broke_is_said_without_its_text(error, code, says):
    failure = explain(error, None)
    assert failure.code == code and says in failure.detail and "Smith" not in failure.detail
