"""Values of forms and query strings: strict numbers, and messages that say what would be right."""

import math
import re
from typing import Any

import marshmallow as ma

from shared.datasets.brats_names import MODALITIES

# Python's float() takes "1_0", "infinity" and digits of other scripts; a form field shall not
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
MIN_SPACING_MM = 0.001  # a micrometre: no MRI is finer, so less is a mistake in the unit
MAX_SPACING_MM = 100.0


def finite(text: str) -> float:
    """The number that `text` spells; ValueError with a sentence for anything else, nan and inf included."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError("Must be a finite decimal number, such as 0.5.")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("Must be a finite decimal number, such as 0.5.")
    return value


class Number(ma.fields.Field[float]):
    """A finite number within limits: above `above` or from `least` on, and up to `most`."""

    def __init__(
        self, *, most: float, above: float | None = None, least: float | None = None, **kwargs: Any
    ) -> None:
        limits = {"type": "number", "minimum": least if above is None else above, "maximum": most}
        if above is not None:
            limits["exclusiveMinimum"] = True
        kwargs["metadata"] = limits | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self.above, self.least, self.most = above, least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        try:
            number = finite(str(value))
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        low = (self.above is not None and number <= self.above) or (
            self.least is not None and number < self.least
        )
        if low or number > self.most:
            raise ma.ValidationError(self._limits())
        return number

    def _limits(self) -> str:
        floor = f"greater than {self.above:g}" if self.above is not None else f"at least {self.least:g}"
        return f"Must be {floor} and at most {self.most:g}."


class Whole(ma.fields.Integer):
    """A whole number within limits."""

    DIGITS = re.compile(r"\d{1,9}", re.ASCII)

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        kwargs["metadata"] = {"minimum": least, "maximum": most} | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not self.DIGITS.fullmatch(str(value)) or not self.least <= int(value) <= self.most:
            raise ma.ValidationError(f"Must be a whole number from {self.least} to {self.most}.")
        return int(value)


class Spacing(ma.fields.Field[tuple[float, float]]):
    """`0.5` or `0.5,0.7`: millimetres between pixel centres, row then column."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[float, float]:
        limits = (
            f"Must be one or two numbers (row,column) in millimetres, at least {MIN_SPACING_MM:g} and at "
            f"most {MAX_SPACING_MM:g}, such as 0.5 or 0.5,0.7."
        )
        parts = str(value).split(",")
        if len(parts) not in (1, 2):
            raise ma.ValidationError(limits)
        try:
            numbers = [finite(part) for part in parts]
        except ValueError:
            raise ma.ValidationError(limits) from None
        if not all(MIN_SPACING_MM <= number <= MAX_SPACING_MM for number in numbers):
            raise ma.ValidationError(limits)
        return numbers[0], numbers[-1]


class SequenceOrder(ma.fields.Field[tuple[str, ...]]):
    """`flair,t1,t1ce,t2`: what the volumes of a file are, in its order."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        names = tuple(name.strip().lower() for name in str(value).split(","))
        if not set(names) <= set(MODALITIES):
            raise ma.ValidationError(f"Must be names of sequences ({', '.join(MODALITIES)}), such as flair,t1,t1ce,t2.")
        if len(set(names)) < len(names):
            raise ma.ValidationError("Names a sequence twice.")
        return names


class ModelName(ma.fields.String):
    """A model id or an alias."""

    PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not self.PATTERN.fullmatch(value):
            raise ma.ValidationError(
                "Must be a model id or an alias: letters, digits, dot, dash, underscore."
            )
        return value


class Colour(ma.fields.String):
    """Six hexadecimal digits, `ff0000`, with or without #."""

    PATTERN = re.compile(r"#?([0-9a-fA-F]{6})", re.ASCII)

    def __init__(self, **kwargs: Any) -> None:
        kwargs["metadata"] = {"pattern": "^#?[0-9a-fA-F]{6}$"} | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        match = self.PATTERN.fullmatch(str(value))
        if match is None:
            raise ma.ValidationError("Must be six hexadecimal digits: red, green, blue, such as ff0000.")
        digits = match.group(1)
        return tuple(int(digits[at : at + 2], 16) for at in (0, 2, 4))


class Flag(ma.fields.Boolean):
    """true, false, 1 or 0, in letters of any case; nothing else that marshmallow would take."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        text = str(value).lower()
        if text not in ("true", "false", "1", "0"):
            raise ma.ValidationError("Must be true or false.")
        return text in ("true", "1")
