"""One DICOMweb server (PACS) as the API and the workers know it: where it is, and where its secrets lie."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from shared.contract.config import ConfigError

# PS3.5 section 9.1: numbers without leading zeros, separated by dots, at most 64 characters.
UID = re.compile(r"(?=[0-9.]{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)
PORTS = {"https": 443, "http": 80}
_LONGEST_SECRET = 16_384


@dataclass(frozen=True, slots=True)
class DicomwebServer:
    """One server. Holds where secrets lie and no secret, so that it may be passed on as JSON.

    `timeout_s` is the longest silence, `retries` how often a request is sent again that got no answer.
    """

    name: str
    url: str
    allowed_hosts: tuple[str, ...]
    username: str | None = None
    password_file: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    timeout_s: float = 30.0
    retries: int = 3

    def to_json(self) -> dict[str, Any]:
        """For the process that does the work."""
        return {**asdict(self), "allowed_hosts": [*self.allowed_hosts]}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """What `to_json` made."""
        return cls(**{**fields, "allowed_hosts": tuple(fields["allowed_hosts"])})

    def allows(self, url: str) -> bool:
        """Whether a request may go there: to this server's own host and port, which the operator has allowed."""
        place = host_and_port(url)
        return place is not None and place == host_and_port(self.url) and place in self.allowed_hosts


def read_secret(file: str) -> str:
    """The one line of a file; raises ConfigError that does not repeat it."""
    try:
        secret = Path(file).read_text(encoding="utf-8")[: _LONGEST_SECRET + 1].strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError("a file that holds a secret of a DICOMweb server cannot be read") from None
    if not secret or len(secret) > _LONGEST_SECRET or not secret.isprintable():
        raise ConfigError("a file that holds a secret of a DICOMweb server is empty or not one line of text")
    return secret


def host_and_port(url: str) -> str | None:
    """`host:port` of an http(s) URL, in small letters, the port always there; None where there is no such thing."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in PORTS:
        return None
    name = host.rstrip(".")
    return f"{f'[{name}]' if ':' in name else name}:{PORTS[parts.scheme] if port is None else port}"
