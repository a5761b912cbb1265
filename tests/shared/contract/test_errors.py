"""One suite over the whole tree of errors."""

import pickle  # noqa: TID251  # what a process pool does to an error that crosses it
import re

import pytest

from shared.contract import errors
from shared.contract.errors import ServiceError


def _tree(cls: type[ServiceError]) -> list[type[ServiceError]]:
    return [cls] + [leaf for child in cls.__subclasses__() for leaf in _tree(child)]


TREE = [cls for cls in _tree(ServiceError) if cls.__module__ == errors.__name__]
each_error = pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)


def test_codes_are_unique():
    codes = [cls.code for cls in TREE]
    assert sorted(codes) == sorted(set(codes))


@each_error
def test_every_error_has_its_own_code_title_and_docstring(cls):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", cls.code)
    assert {"code", "title"} <= vars(cls).keys()
    assert cls.__doc__


@each_error
def test_an_error_survives_pickling_with_all_it_says(cls):
    error = cls("It went wrong", {"image": ["too dark"]})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (again.detail, again.errors, str(again)) == (
        "It went wrong",
        {"image": ["too dark"]},
        "It went wrong",
    )


@each_error
def test_without_a_detail_the_title_speaks(cls):
    assert cls().detail == cls.title
    assert cls().errors is None


def test_an_error_keeps_its_own_copy_of_the_fields():
    fields = {"a": ["b"]}
    error = errors.InvalidFields(errors=fields)
    fields["a"].append("c")
    assert error.errors == {"a": ["b"]}


def test_what_may_be_tried_again_says_when():
    again = [cls for cls in TREE if issubclass(cls, errors.TryAgain)]
    assert len(again) >= 4
    assert all(cls.retry_after_s >= 1 for cls in again)
