"""The last lines of a file, whatever its blocks and its end."""

import io

import pytest

from service.web import log_tail
from service.web.log_tail import pieces, seek_tail


@pytest.mark.parametrize("step", [1, 2, 3, 64])
@pytest.mark.parametrize("text", [b"", b"\n", b"a", b"a\n", b"a\nbb\nccc", b"a\nbb\nccc\n", b"\n\n\na\n\n"])
@pytest.mark.parametrize("lines", [1, 2, 3, 9])
def test_the_tail_is_the_last_lines(
    monkeypatch: pytest.MonkeyPatch, step: int, text: bytes, lines: int
) -> None:
    monkeypatch.setattr(log_tail, "STEP", step)
    file = io.BytesIO(text)
    seek_tail(file, lines)
    assert b"".join(pieces(file)) == b"".join(text.splitlines(keepends=True)[-lines:])
