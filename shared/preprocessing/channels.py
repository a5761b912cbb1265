"""Which channels of a picture a model is given, where the two do not have the same."""

from collections.abc import Sequence

from shared.contract.errors import InvalidFields

# What the same sequence is called in different datasets.
SAME = {"pre-contrast": "t1", "post-contrast": "t1ce"}
# Stands in for a picture in grey where a study has several sequences: the one on which tumours are outlined.
GREY = "flair"


def channel_indices(
    wanted: Sequence[str], count: int, there: Sequence[str], channels: int, field: str = "model"
) -> tuple[int, ...]:
    """Places of the `count` channels that a model wants (`wanted`: their names) among those that are there.

    By name where both have names, else by place; a grey picture fills all channels, and of several sequences a model
    of one channel without a name gets FLAIR. All three channels for a model of one: a colour picture, made grey by
    the preprocessing. Raises InvalidFields on `field`.
    """
    known = [SAME.get(name, name) for name in there]
    asked = [SAME.get(name, name) for name in wanted] or ([GREY] if count == 1 and there else [])
    if asked and known and set(asked) <= set(known):
        return tuple(known.index(name) for name in asked)
    if channels == count and not (asked and known):
        return tuple(range(channels))
    if channels == 1 and count in (1, 3) and not (asked and known):
        return (0,) * count
    if count == 1 and channels == 3 and not known:
        return (0, 1, 2)
    raise InvalidFields(
        errors={field: [f"takes {_named(wanted, count)}; there are {_named(there, channels)}"]}
    )


def _named(names: Sequence[str], count: int) -> str:
    plural = "channel" if count == 1 else "channels"
    return f"{count} {plural}" + (f" ({', '.join(names)})" if names else "")
