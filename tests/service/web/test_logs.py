"""Log lines."""

import io

from service.web.logs import Lenient


class Gone(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_stops_nothing() -> None:
    stream = Lenient(Gone())
    stream.write("a line\n")
    stream.flush()


def test_other_lines_are_written() -> None:
    there = io.StringIO()
    Lenient(there).write("a line\n")
    assert there.getvalue() == "a line\n"
