"""Who asks: a key in the Authorization header, a session that /login made from one, or anybody on loopback."""

from dataclasses import dataclass

from flask import Flask, current_app, g, request, session

from service.web.allowed_hosts import SAFE_METHODS, same_origin
from shared.contract.errors import Forbidden, FromElsewhere, Unauthenticated
from shared.contract.names import Scope
from shared.database.keys import Key, Keys

LOCAL_OWNER = "local"
SESSION_KEY = "key_id"
MAX_SECRET = 512


@dataclass(frozen=True)
class Principal:
    """Who asks, and what they may do; `name` is what their key is called."""

    owner: str
    scopes: frozenset[Scope]
    name: str

    def may(self, scope: Scope) -> bool:
        """Whether the scope is theirs; `admin` has all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def sees(self) -> str | None:
        """The owner whose things they see; None is everybody's."""
        return None if Scope.ADMIN in self.scopes else self.owner


class Authenticator:
    """Finds the principal of a request; asks the database each time, so that a revoked key ends at once."""

    def __init__(self, keys: Keys, *, open_access: bool) -> None:
        self._keys = keys
        self._open = open_access

    def principal(self) -> Principal:
        """Of the current request; raises Unauthenticated."""
        header = request.headers.get("Authorization")
        if header is not None:
            return self._bearer(header)
        if self._open:
            return Principal(LOCAL_OWNER, frozenset(Scope), LOCAL_OWNER)
        key = self.session_key()
        if key is None:
            raise Unauthenticated("Send a key as `Authorization: Bearer KEY`.")
        if request.method not in SAFE_METHODS and not same_origin(request):
            raise FromElsewhere("A page of another site may not use this session.")
        return Principal(key.id, key.scopes, key.name)

    def session_key(self) -> Key | None:
        """The key that signed in here, if it is still good."""
        key_id = session.get(SESSION_KEY)
        if not isinstance(key_id, str):
            return None
        return next((key for key in self._keys.list() if key.id == key_id and key.revoked_at is None), None)

    def verify(self, secret: str) -> Key | None:
        """The key of a secret, or None."""
        return self._keys.verify(secret) if len(secret) <= MAX_SECRET else None

    def _bearer(self, header: str) -> Principal:
        scheme, _, secret = header.partition(" ")
        key = self.verify(secret.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Unauthenticated("This key is unknown or was revoked.")
        return Principal(key.id, key.scopes, key.name)


def register(app: Flask, authenticator: Authenticator) -> None:
    """Let views ask for the principal of their request."""
    app.extensions["authenticator"] = authenticator


def authenticator() -> Authenticator:
    """That of the current application."""
    found: Authenticator = current_app.extensions["authenticator"]
    return found


def require(scope: Scope | None = None) -> Principal:
    """The principal of this request, who has the scope (None: any key will do). Raises Unauthenticated, Forbidden."""
    principal = authenticator().principal()
    g.principal = principal
    if scope is not None and not principal.may(scope):
        raise Forbidden(f"This needs a key with the scope `{scope}`.")
    return principal
