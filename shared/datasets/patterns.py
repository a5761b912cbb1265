"""Regular expressions from clients: only those that cannot take long, whatever they are matched against.

Python's engine tries one choice after the other, so `(a+)+$` takes for ever on thirty letters. Here the choices of a
pattern are multiplied before it is used: what could need more steps than MAX_STEPS on a path is refused.
"""

import re
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MAX_PATTERN = 200
MAX_PATH = 200
# Three free repeats and a few optional letters: at worst some seconds a path; real patterns need microseconds.
MAX_STEPS, _FREE = 2_000_000, 100
_PLAIN = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT"}


def compile_pattern(text: str) -> re.Pattern[str]:
    """The pattern; raises ValueError with a sentence that says what is wrong with it."""
    if not 1 <= len(text) <= MAX_PATTERN:
        raise ValueError(f"Must be a regular expression of 1 to {MAX_PATTERN} letters.")
    try:
        parsed = parser.parse(text)
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"Is no regular expression: {error}.") from None
    if pattern.groups > 1:
        raise ValueError(
            "Must have one group (...) at most, around the patient's name; use (?:...) for others."
        )
    if _choices(parsed) > MAX_STEPS:
        raise ValueError("Has too many repeats: three of *, + or ? are enough to find a name in a path.")
    return pattern


def find(pattern: re.Pattern[str], path: str) -> str | None:
    """The first group (without one, the whole match) in the path; None where there is none or the path is too long."""
    if len(path) > MAX_PATH:
        return None
    match = pattern.search(path)
    return (match.group(pattern.groups and 1) or None) if match else None


def _choices(parsed: Any) -> int:
    """In how many ways the pattern can be tried from one place; ValueError for what is not countable."""
    total = 1
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            total *= _of_repeat(*argument)
        elif name == "SUBPATTERN":
            total *= _choices(argument[-1])
        elif name == "BRANCH":
            total *= sum(_choices(branch) for branch in argument[1])
        elif name not in _PLAIN:
            raise ValueError("Must do without look-around, back references and atomic groups.")
        if total > MAX_STEPS:
            break
    return total


def _of_repeat(least: Any, most: Any, inner: Any) -> int:
    inside, (width, _) = _choices(inner), inner.getwidth()
    if int(most) <= 1:
        return inside + (int(most) - int(least))
    if inside > 1 or width == 0:
        raise ValueError("Must not repeat what has a choice or a repeat inside, such as (a+)+ or (a|b)*.")
    return min(int(most) - int(least), _FREE - 1) + 1
