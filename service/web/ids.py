"""What an id can look like, in addresses and in fields: nothing else reaches the database.

PostgreSQL refuses a NUL in a text with an error of its own, which would be a client's mistake as our 503.
"""

import re

from werkzeug.routing import BaseConverter


class IdConverter(BaseConverter):
    """`<name>` in a route, where no other kind is said: another text is no address of ours (404)."""

    regex = "[A-Za-z0-9._-]{1,64}"


_ID = re.compile(IdConverter.regex, re.ASCII)


def is_id(text: str) -> bool:
    """Whether an id or an alias can be written so."""
    return _ID.fullmatch(text) is not None
