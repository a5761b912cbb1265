"""Asks the parts of an embedded run how they are: None for well, else a sentence about what is missing."""

import json
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from redis import Redis
from redis.exceptions import RedisError

from shared.contract.config import redact


def redis_problem(url: str) -> str | None:
    """None when Redis answers. Passwords are blanked."""
    try:
        with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except (RedisError, OSError) as error:
        return f"Redis at {redact(url)}: {redact(str(error))}"
    return None


def health_problem(host: str, port: int, which: str) -> str | None:
    """None when the health check says 200, else what it says. Never asks through a proxy."""
    at = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"http://{for_url(at)}:{port}/health/{which}", timeout=5):
            return None
    except HTTPError as error:
        return _what_is_missing(error.read(10_000))
    except (URLError, OSError) as error:
        return f"the API does not answer yet: {getattr(error, 'reason', error)}"


def _what_is_missing(answer: bytes) -> str:
    """The sentences of the health checks that failed."""
    try:
        checks = json.loads(answer)["checks"].values()
        return " ".join(str(check["detail"]) for check in checks if not check["ok"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the service is not ready: {answer[:500].decode(errors='replace').strip()}"


def for_url(host: str) -> str:
    """The host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
