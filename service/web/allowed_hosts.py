"""Who may talk to a service that asks for no key: programs on this machine, and no web page of another site."""

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Request, request
from werkzeug.exceptions import HTTPException

from shared.contract.errors import FromElsewhere

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Misdirected(HTTPException):
    """421: the Host header names a site that this service is not."""

    code = 421
    name = "Misdirected Request"
    description = (
        "Without a key this service answers only to localhost, 127.0.0.1 and [::1]. For other names start it "
        "with a key: see BOOTSTRAP_KEY_FILE and `python -m service keys create`."
    )

    def __init__(self) -> None:
        super().__init__()


def is_loopback(host: str) -> bool:
    """True for `localhost` and for the loopback addresses, with or without brackets."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a Host header, without its port; "" if it is not one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def same_origin(req: Request) -> bool:
    """False where a browser says that another site's page sent this (Fetch metadata, else Origin)."""
    site = req.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = req.headers.get("Origin")
    if origin is None:  # not a browser, or a browser's plain GET
        return True
    try:
        return urlsplit(origin).netloc.lower() == req.host.lower() and origin != "null"
    except ValueError:
        return False


def register(app: Flask, *, open_access: bool) -> None:
    """Guard a start that asks for no key against DNS rebinding and against forms of other sites."""
    if open_access:
        app.before_request(_check)


def _check() -> None:
    host = request.headers.get("Host")
    if host is not None and not is_loopback(host_name(host)):  # browsers always send one
        raise Misdirected
    if request.method not in SAFE_METHODS and not same_origin(request):
        raise FromElsewhere("A page of another site may not send requests to this service.")
