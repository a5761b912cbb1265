"""Settings from the environment: typed, every problem named at once, no secret ever repeated."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY_SECRET = re.compile(r"((?:password|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)
GIB = 1024**3
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class ConfigError(Exception):
    """A missing or unsafe setting; the text names each variable, its value and what to do."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[Self], tuple[list[str]]]:
        return (type(self), (self.problems,))


def redact(text: str) -> str:
    """The text with user names and passwords of its URLs blanked."""
    return _QUERY_SECRET.sub(r"\1***", _CREDENTIALS.sub("***@", text))


class EnvReader:
    """Reads variables one by one, remembers what is wrong, and `finish` raises it all at once.

    An empty variable counts as unset. After a problem the default (or a harmless value) is returned, so that
    the remaining variables are still read.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def problem(self, name: str, why: str, todo: str, *, secret: bool = False) -> None:
        """Note that the variable is wrong; `why` ends the sentence "NAME is 'value', ...", `todo` helps."""
        value = self._env.get(name, "")
        shown = "is not set" if not value else "(not shown)" if secret else f"is {redact(value)[:200]!r}"
        self.problems.append(f"{name} {shown}, {why}: {todo}")

    def finish(self) -> None:
        """Raise ConfigError if anything was wrong."""
        if self.problems:
            raise ConfigError(self.problems)

    def raw(self, name: str) -> str | None:
        """The stripped value, or None when unset or empty."""
        return self._env.get(name, "").strip() or None

    def text(
        self, name: str, default: str | None = None, *, todo: str = "set it", secret: bool = False
    ) -> str:
        """A string; without a default it is required."""
        value = self.raw(name)
        if value is None and default is None:
            self.problem(name, "and it is needed", todo, secret=secret)
        return value or default or ""

    def integer(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """A whole number within [minimum, maximum]."""
        value = self.raw(name)
        if value is None:
            return default
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value) and minimum <= int(value) <= maximum:
            return int(value)
        self.problem(name, "which is not usable", f"give a whole number from {minimum} to {maximum}")
        return default

    def number(self, name: str, default: float, minimum: float, maximum: float) -> float:
        """A finite number within [minimum, maximum]."""
        value = self.raw(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if minimum <= number <= maximum:
            return number
        self.problem(name, "which is not usable", f"give a number from {minimum:g} to {maximum:g}")
        return default

    def flag(self, name: str, default: bool) -> bool:
        """A yes or no."""
        value = self.raw(name)
        if value is None:
            return default
        if value.lower() not in _TRUE | _FALSE:
            self.problem(name, "which is neither yes nor no", "give 1 or 0")
            return default
        return value.lower() in _TRUE

    def choice(self, name: str, default: str, choices: Iterable[str]) -> str:
        """One of the given words."""
        value, words = self.raw(name) or default, list(choices)
        if value not in words:
            self.problem(name, "which is not known", f"give one of {', '.join(words)}")
            return default
        return value

    def folder(self, name: str, default: str | Path) -> Path:
        """A folder as an absolute path (processes with other working directories must agree on it)."""
        path = Path(self.raw(name) or default).expanduser().absolute()
        if path.exists() and not path.is_dir():
            self.problem(name, f"and {path} is not a folder", "give the path of a folder")
        return path

    def url(self, name: str, default: str, schemes: Iterable[str], *, todo: str) -> str:
        """A URL of one of the schemes; an empty default makes it required."""
        value, allowed = self.raw(name) or default, set(schemes)
        if not value:
            self.problem(name, "and it is needed", todo)
        elif urlsplit(value).scheme not in allowed:
            self.problem(
                name, f"which does not start with {' or '.join(f'{s}://' for s in sorted(allowed))}", todo
            )
        return value


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where things are kept; what the API, the workers and the command line share."""

    data_dir: Path
    database_url: str
    redis_url: str
    store_url: str
    models_dir: Path
    retention_hours: float
    lease_s: float
    max_attempts: int

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, needs_redis: bool = True) -> Self:
        """From DATA_DIR, DATABASE_URL, REDIS_URL, STORE_URL, MODELS_DIR, RETENTION_HOURS, LEASE_S, MAX_ATTEMPTS

        Raises ConfigError with every problem. Commands that only touch the database pass `needs_redis=False`.
        """
        reader = EnvReader(env)
        settings = cls.read(reader, needs_redis=needs_redis)
        reader.finish()
        return settings

    @classmethod
    def read(cls, reader: EnvReader, *, needs_redis: bool = True) -> Self:
        """Like `from_env`, leaving `finish` to a caller that has more variables to read."""
        data_dir = reader.folder("DATA_DIR", "data")
        return cls(
            data_dir=data_dir,
            database_url=_with_password(
                reader, _database_url(reader, f"sqlite:///{data_dir / 'service.sqlite3'}")
            ),
            redis_url=_redis_url(reader) if needs_redis else reader.raw("REDIS_URL") or "",
            store_url=reader.raw("STORE_URL") or str(data_dir / "files"),
            models_dir=reader.folder("MODELS_DIR", "models"),
            retention_hours=reader.number("RETENTION_HOURS", 24, 0.01, 24 * 3650),
            lease_s=reader.number("LEASE_S", 10, 1, 3600),
            max_attempts=reader.integer("MAX_ATTEMPTS", 3, 1, 100),
        )

    @property
    def broker_url(self) -> str:
        """`redis_url` as Celery spells it: a unix socket is `redis+socket://`, its db `virtual_host`."""
        if not self.redis_url.startswith("unix://"):
            return self.redis_url
        parts = urlsplit(self.redis_url)
        query = re.sub(r"(^|&)db=", r"\1virtual_host=", parts.query)
        return f"redis+socket://{parts.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Where the operator's datasets are, and what an uploaded one may grow to; the API and the workers share it."""

    datasets_dir: Path | None = None
    max_dataset_bytes: int = 20 * GIB
    max_dataset_files: int = 200_000
    max_dataset_unpacked_bytes: int = 100 * GIB

    @classmethod
    def read(cls, reader: EnvReader) -> Self:
        """From DATASETS_DIR, MAX_DATASET_BYTES, _FILES and _UNPACKED_BYTES; `finish` is left to the caller."""
        named = reader.raw("DATASETS_DIR")
        folder = reader.folder("DATASETS_DIR", named) if named else None
        if folder is not None and not folder.is_dir():
            reader.problem("DATASETS_DIR", "and there is no such folder", "give a folder that holds datasets")
        return cls(
            datasets_dir=folder,
            max_dataset_bytes=reader.integer("MAX_DATASET_BYTES", 20 * GIB, 1024, 1024 * GIB),
            max_dataset_files=reader.integer("MAX_DATASET_FILES", 200_000, 1, 10_000_000),
            max_dataset_unpacked_bytes=reader.integer(
                "MAX_DATASET_UNPACKED_BYTES", 100 * GIB, 1024, 10_240 * GIB
            ),
        )


def _database_url(reader: EnvReader, default: str) -> str:
    url = reader.url(
        "DATABASE_URL",
        default,
        ("sqlite", "postgresql", "postgresql+psycopg", "postgres"),
        todo="give sqlite:////path/to/file or postgresql://user:password@host/name, or leave it unset",
    )
    if url.startswith("sqlite") and (len(url.partition(":///")[2]) == 0 or ":memory:" in url):
        reader.problem(
            "DATABASE_URL", "which lives in one process only", "give a file: sqlite:////path/to/file"
        )
    return url


def _with_password(reader: EnvReader, url: str) -> str:
    """The URL with the password of DATABASE_PASSWORD_FILE: a secret need not stand in the environment."""
    name = reader.raw("DATABASE_PASSWORD_FILE")
    if name is None:
        return url
    scheme, _, rest = url.partition("://")
    user, at, where = rest.rpartition("@")
    if not at or not user or ":" in user:
        todo = "give DATABASE_URL=postgresql://user@host/name, or unset this one"
        reader.problem("DATABASE_PASSWORD_FILE", "while DATABASE_URL has no user or a password already", todo)
        return url
    try:
        password = Path(name).read_text().strip()
    except (OSError, UnicodeDecodeError):
        reader.problem(
            "DATABASE_PASSWORD_FILE", "which cannot be read", "give a file that holds the password"
        )
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{where}"


def _redis_url(reader: EnvReader) -> str:
    return reader.url(
        "REDIS_URL",
        "",
        ("redis", "rediss", "unix"),
        todo="give redis://host:6379/0 or unix:///path/redis.sock; `make run` brings its own",
    )
