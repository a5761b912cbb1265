"""Cursors are ours or refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.errors import InvalidFields
from shared.database.paging import decode_cursor, encode_cursor

TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
IDS = st.text("abcdef0123456789-_.", min_size=1, max_size=64)


@given(TIMES, IDS)
def test_a_cursor_comes_back_as_it_was(created_at, id):
    assert decode_cursor(encode_cursor(created_at, id)) == (created_at, id)


@given(st.text(max_size=100))
def test_any_text_is_a_cursor_or_refused_by_name(text):
    try:
        decode_cursor(text)
    except InvalidFields as error:
        assert error.errors.keys() == {"cursor"}


@pytest.mark.parametrize(
    "cursor", ["", "x", "MTIz", "MTIzLg", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS5h", "é", "MTIzLmEK"]
)
def test_broken_cursors_are_refused(cursor):
    with pytest.raises(InvalidFields):
        decode_cursor(cursor)
