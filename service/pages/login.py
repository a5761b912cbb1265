"""/login: a key for a signed cookie, so that people at a browser can use the pages; and the tokens of forms."""

import hmac
import os
import secrets
from datetime import timedelta
from pathlib import Path

from flask import Blueprint, Flask, Request, g, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from service.container import services
from service.web.allowed_hosts import same_origin
from service.web.auth import SESSION_KEY, authenticator
from service.web.problems import problem_document
from shared.contract.errors import FromElsewhere, Unauthenticated

blueprint = Blueprint("login", __name__)

CSRF = "csrf"
SECRET_FILE = "session.key"
SIGNED_IN_FOR = timedelta(hours=12)


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookies; `Secure` where the client came by https (a cookie over plain http would be lost)."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """As Flask does, but without building a verifier for the API's clients, who have no cookie."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def register(app: Flask, secret: str) -> None:
    """Sessions, the pages of this file, and what every template needs of them."""
    app.secret_key = secret
    app.session_interface = Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="segmentation_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # a link in a mail to a result works; forms of other sites do not
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SIGNED_IN_FOR,
    )
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(
        csrf_token=csrf_token, scopes=scopes, signed_in=lambda: SESSION_KEY in session
    )


def secret_of(folder: Path) -> str:
    """The key that signs cookies, made on first use and readable by our user alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / SECRET_FILE
    fresh = folder / f"{SECRET_FILE}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)  # whole and once, however many processes start together
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text().strip()


def csrf_token() -> str:
    """The token that forms of this session carry."""
    if CSRF not in session:
        session[CSRF] = secrets.token_urlsafe(24)
    return str(session[CSRF])


def scopes() -> str:
    """What the key of this request may do, for the pages' scripts; "" where nobody is signed in."""
    principal = g.get("principal")
    return "" if principal is None else " ".join(sorted(principal.scopes))


def check_form() -> None:
    """Refuse a form that no page of this session made.

    Where no key is asked there is nothing to steal, and hosts.py has looked at Host and Origin already; so a
    program may send the form there without having fetched the page.
    """
    if services().settings.open_access and CSRF not in session:
        return
    sent = request.form.get("csrf_token", "")
    if not same_origin(request) or not hmac.compare_digest(
        sent.encode(), str(session.get(CSRF, "")).encode()
    ):
        raise FromElsewhere(
            "This form is too old or comes from elsewhere; load the page again and send it from there."
        )
    if CSRF not in session:
        raise FromElsewhere(
            "This browser sent no cookie; allow cookies for this site and load the page again."
        )


@blueprint.get("/login")
def form() -> str:
    """Asks for a key."""
    return render_template("login.html", next=_inside(request.args.get("next", "")))


@blueprint.post("/login")
def sign_in() -> AnyResponse | tuple[str, int]:
    """A good key starts a session that ends after 12 hours, with the browser's sign out, or with the key."""
    check_form()
    onward = _inside(request.form.get("next", ""))
    key = authenticator().verify(request.form.get("key", "").strip())
    if key is None:
        error = Unauthenticated("This key is unknown or was revoked.")
        problem = problem_document(401, error.code, error.detail, title=error.title)
        return render_template("login.html", next=onward, problem=problem), 401
    session.clear()
    session.permanent = True
    session[SESSION_KEY] = key.id
    # `next` is a path within the application, which may be mounted somewhere below the site's root
    return redirect(request.script_root + onward if onward else url_for("pages.home"), 303)


@blueprint.post("/logout")
def sign_out() -> AnyResponse:
    """Ends the session."""
    check_form()
    session.clear()
    return redirect(url_for("pages.home"), 303)


def _inside(target: str) -> str:
    """The target if it is a path of this application; a link to elsewhere must not start here."""
    inside = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if inside and len(target) <= 300 else ""
