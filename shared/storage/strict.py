"""JSON into dataclasses, strictly: every unknown, missing or wrongly typed field is named by its place."""

import types
from dataclasses import fields, is_dataclass
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
    for name in hints.keys() - data.keys():
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
    expected = dict if origin is dict else hint
    if not _is(value, expected):
        _wrong(problems, place, f"must be {_NAMES[expected]}")
        return None
    return float(value) if expected is float and isinstance(value, int) else value


def _is(value: object, expected: type) -> bool:
    if isinstance(value, bool):
        return expected is bool  # for Python a bool is an int; in a card it is a mistake
    return isinstance(value, (int, float) if expected is float else expected)


def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _wrong(problems: Problems, place: str, message: str) -> None:
    problems.setdefault(place, []).append(message)
