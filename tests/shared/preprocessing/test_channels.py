"""Which channels of a dataset a model is given: by name, by place, or not at all."""

import pytest

from shared.contract.errors import InvalidFields
from shared.preprocessing.channels import channel_indices

BRATS = ("t1", "t1ce", "t2", "flair")
LGG = ("pre-contrast", "flair", "post-contrast")


@pytest.mark.parametrize(
    ("wanted", "count", "there", "channels", "indices"),
    [
        (LGG, 3, LGG, 3, (0, 1, 2)),
        (("flair", "t1"), 2, BRATS, 4, (3, 0)),
        (LGG, 3, BRATS, 4, (0, 3, 1)),  # pre-contrast is T1, post-contrast is T1 with contrast
        ((), 3, (), 3, (0, 1, 2)),
        (LGG, 3, (), 3, (0, 1, 2)),
        (LGG, 3, (), 1, (0, 0, 0)),
        ((), 1, LGG, 3, (1,)),
        ((), 1, (), 1, (0,)),
        ((), 1, (), 3, (0, 1, 2)),  # a colour picture, which is made grey
        (("flair",), 1, (), 1, (0,)),
    ],
)
def test_a_model_gets_its_channels(wanted, count, there, channels, indices):
    assert channel_indices(wanted, count, there, channels) == indices


@pytest.mark.parametrize(
    ("wanted", "count", "there", "channels"),
    [
        (BRATS, 4, LGG, 3),
        (BRATS, 4, BRATS[:3], 3),
        ((), 4, (), 3),
        ((), 4, (), 1),
        (BRATS, 4, ("t1",), 1),
        (("flair",), 1, ("t1",), 1),
        ((), 2, LGG, 3),
        (("t2",), 1, LGG, 3),
    ],
)
def test_what_is_not_there_is_not_guessed(wanted, count, there, channels):
    with pytest.raises(InvalidFields) as raised:
        channel_indices(wanted, count, there, channels)
    message = raised.value.errors["model"][0]
    assert str(count) in message and str(channels) in message
