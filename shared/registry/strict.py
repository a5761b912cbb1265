"""JSON into dataclasses, strictly: every unknown, missing or wrongly typed field is named by its place.

A field with a default may be missing. Numbers of JSON's kin that are none (NaN, Infinity) are wrong.
"""

import math
import sys
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Problems = dict[str, list[str]]
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object"}


def read(cls: type[T], data: object, problems: Problems, place: str = "") -> T | None:
    """An instance of the dataclass, or None with what is wrong added to `problems` (place -> messages)."""
    if not isinstance(data, dict):
        _wrong(problems, place or "card", "must be an object")
        return None
    before = len(problems)
    hints = _hints(cls)
    for name in data.keys() - hints.keys():
        _wrong(problems, _join(place, str(name)), "unknown field")
    for name in _required(cls) - data.keys():
        _wrong(problems, _join(place, name), "missing")
    values = {n: _value(hints[n], data[n], problems, _join(place, n)) for n in hints if n in data}
    return cls(**values) if len(problems) == before else None


def _value(hint: Any, value: object, problems: Problems, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, problems, place)
    if is_dataclass(hint) and isinstance(hint, type):
        return read(hint, value, problems, place)
    if origin is list:
        if not isinstance(value, list):
            _wrong(problems, place, "must be a list")
            return None
        return [_value(arguments[0], item, problems, f"{place}[{i}]") for i, item in enumerate(value)]
    if origin is tuple:
        return _tuple(arguments, value, problems, place)
    if origin is dict and arguments[1] is float and isinstance(value, dict):
        return {str(n): _value(float, item, problems, _join(place, str(n))) for n, item in value.items()}
    expected = dict if origin is dict else hint
    if not _is(value, expected):
        _wrong(problems, place, f"must be {_NAMES[expected]}")
        return None
    return float(value) if expected is float and isinstance(value, int) else value


def _tuple(arguments: tuple[Any, ...], value: object, problems: Problems, place: str) -> Any:
    """`tuple[T, ...]` of any length, `tuple[T, T]` of just that."""
    exact = arguments[-1] is not Ellipsis
    if not isinstance(value, (list, tuple)) or (exact and len(value) != len(arguments)):
        _wrong(problems, place, f"must be a list of {len(arguments)}" if exact else "must be a list")
        return None
    kinds = arguments if exact else (arguments[0],) * len(value)
    return tuple(
        _value(kind, item, problems, f"{place}[{i}]")
        for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _is(value: object, expected: type) -> bool:
    if isinstance(value, bool):
        return expected is bool  # for Python a bool is an int; in a card it is a mistake
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, int) and expected is float and abs(value) > sys.float_info.max:
        return False
    return isinstance(value, (int, float) if expected is float else expected)


def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _required(cls: Any) -> set[str]:
    return {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _wrong(problems: Problems, place: str, message: str) -> None:
    problems.setdefault(place, []).append(message)
