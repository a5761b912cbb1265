"""DICOMweb servers that jobs may fetch from and store to: a TOML file without secrets, and the hosts allowed."""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from shared.contract.config import ConfigError, EnvReader
from shared.contract.dicomweb_server import PORTS, DicomwebServer, host_and_port, read_secret

FILE = "DICOMWEB_SERVERS_FILE"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
_FILES = ("password_file", "token_file", "ca_file")
_SECRET = re.compile("password|token|secret|key|authorization", re.IGNORECASE)
_KEYS = {"url", "username", *_FILES, "timeout_s", "retries", "insecure"}
_MAX_BYTES = 1024 * 1024
Problems = list[str]


@dataclass(frozen=True, slots=True)
class DicomwebSettings:
    """All servers by name; none where no file is set."""

    servers: Mapping[str, DicomwebServer] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """From DICOMWEB_SERVERS_FILE and DICOMWEB_ALLOWED_HOSTS; raises ConfigError."""
        reader = EnvReader(os.environ if env is None else env)
        settings = cls.read(reader)
        reader.finish()
        return settings

    @classmethod
    def read(cls, reader: EnvReader, *, secrets: bool = True) -> Self:
        """Leaves `finish` to the caller. `secrets`: whether this process needs the files that the table names."""
        file = reader.raw("DICOMWEB_SERVERS_FILE")
        allowed = reader.raw("DICOMWEB_ALLOWED_HOSTS")
        if file is None:
            return cls()
        if allowed is None:
            todo = "name the hosts of its servers: pacs.example,pacs.example:8443"
            reader.problem("DICOMWEB_ALLOWED_HOSTS", f"while {FILE} is set", todo)
        problems: Problems = []
        servers = _servers(Path(file).absolute(), _hosts(allowed or ""), problems, secrets)
        for problem in problems:
            reader.problem(FILE, *problem.split(": ", 1))
        return cls(MappingProxyType(servers))


def _hosts(text: str) -> tuple[str, ...]:
    """Each as `host:port`; one without a port stands for 443 and 80."""
    found: list[str] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        places = {host_and_port(f"{scheme}://{entry}") for scheme in PORTS}
        found += sorted(place for place in places if place)
    return tuple(found)


def _servers(
    file: Path, hosts: tuple[str, ...], problems: Problems, secrets: bool
) -> dict[str, DicomwebServer]:
    try:
        with file.open("rb") as opened:
            document = tomllib.loads(opened.read(_MAX_BYTES).decode())
    except OSError:
        problems.append("which cannot be read: give a TOML file with [servers.NAME]")
        return {}
    except ValueError:  # the error would repeat the line
        problems.append("which is not TOML: see docs/dicomweb.md for an example")
        return {}
    tables = document.get("servers")
    if not isinstance(tables, dict) or not tables or set(document) != {"servers"}:
        problems.append("which does not name servers only: give [servers.NAME] with a url each")
        return {}
    found = {}
    for name, table in tables.items():
        if not NAME.fullmatch(name) or not isinstance(table, dict):
            problems.append("which has a name that is none: letters, digits, dash, underscore, at most 32")
            continue
        server = _Table(name, table, file.parent, problems).server(hosts, secrets)
        if server is not None:
            found[name] = server
    return found


class _Table:
    """One [servers.NAME]; notes each problem under the server's name, and repeats no value but hosts."""

    def __init__(self, name: str, table: dict[str, Any], folder: Path, problems: Problems) -> None:
        self._name, self._table, self._folder, self._problems = name, table, folder, problems

    def server(self, hosts: tuple[str, ...], secrets: bool) -> DicomwebServer | None:
        """The server, or None if something is wrong with it."""
        before = len(self._problems)
        self._check_keys()
        url = self._url(hosts)
        files = {key: self._file(key, needed=secrets) for key in _FILES}
        self._check_credentials()
        made = DicomwebServer(
            name=self._name,
            url=url,
            allowed_hosts=hosts,
            username=self._text("username"),
            timeout_s=float(self._number("timeout_s", 30, 1, 600)),
            retries=int(self._number("retries", 3, 0, 10, whole=True)),
            **files,
        )
        return made if len(self._problems) == before else None

    def _note(self, why: str, todo: str) -> None:
        self._problems.append(f"whose server {self._name} {why}: {todo}")

    def _check_keys(self) -> None:
        for key in self._table.keys() - _KEYS:
            if _SECRET.search(key):
                self._note("has a secret in it", "write it into a file of its own: password_file, token_file")
            else:
                self._note("has a setting that is none", f"known are {', '.join(sorted(_KEYS))}")

    def _text(self, key: str) -> str | None:
        value = self._table.get(key)
        if value is None or (isinstance(value, str) and value and value.isprintable()):
            return value
        self._note(f"has a {key} that is no text", "give it in quotation marks")
        return None

    def _number(self, key: str, default: float, least: float, most: float, *, whole: bool = False) -> float:
        value = self._table.get(key, default)
        kinds = int if whole else (int, float)
        if isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most:
            return value
        self._note(f"has a {key} that is not usable", f"give a number from {least:g} to {most:g}")
        return default

    def _url(self, hosts: tuple[str, ...]) -> str:
        url = self._text("url") or ""
        place = host_and_port(url)
        if place is None:
            self._note("has no url that is one", "give https://host/path of its DICOMweb services")
            return ""
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            self._note("has a user name in its url", "give username and password_file")
        if parts.query or parts.fragment or "\\" in url or not url.isascii() or " " in url:
            self._note("has a url with more than a path", "end it with the path of the DICOMweb services")
        if place not in hosts:
            self._note(f"is at {place}, which is not in DICOMWEB_ALLOWED_HOSTS", "add it there")
        self._check_insecure(parts)
        return url.rstrip("/")

    def _check_insecure(self, parts: SplitResult) -> None:
        insecure = self._table.get("insecure", False)
        if not isinstance(insecure, bool):
            self._note("has an insecure that is neither true nor false", "leave it out")
        elif parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname or ""):
            todo = "give https://, or `insecure = true` where nobody can listen"
            self._note("would send patients and passwords in the clear", todo)

    def _file(self, key: str, *, needed: bool) -> str | None:
        text = self._text(key)
        if text is None:
            return None
        file = self._folder / text  # an absolute path stays as it is
        if not needed:
            return str(file)
        try:
            if key == "ca_file":
                file.read_bytes()
            else:
                read_secret(str(file))
        except (OSError, ConfigError):
            what = "certificates in PEM" if key == "ca_file" else "one line of text"
            self._note(f"has a {key} that cannot be used", f"give a readable file with {what}")
        return str(file)

    def _check_credentials(self) -> None:
        password, token = self._table.get("password_file"), self._table.get("token_file")
        if (self._table.get("username") is None) != (password is None):
            self._note("has only one of username and password_file", "give both or none")
        if password is not None and token is not None:
            self._note("has both password_file and token_file", "give one of them")


def _is_loopback(host: str) -> bool:
    if host.rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
