"""`python -m service keys`: make, list and revoke API keys."""

import argparse
import os
from collections.abc import Callable, Mapping

from shared.contract.config import StoreSettings
from shared.contract.errors import InvalidFields
from shared.contract.names import Scope
from shared.database.database import Database
from shared.database.keys import Key, Keys
from shared.database.migrate import upgrade

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`create NAME --scope infer`, `list`, `revoke ID`."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="make a key; its secret is shown once")
    create.add_argument("name", help="whose key it is, such as ward-3")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=[scope.value for scope in Scope],
        help="what it may do; give it several times for several",
    )
    verbs.add_parser("list", help="show all keys, without secrets")
    revoke = verbs.add_parser("revoke", help="end a key at once")
    revoke.add_argument("id", help="the id that `list` shows")


def run(args: argparse.Namespace, say: Say, env: Mapping[str, str] = os.environ) -> int:
    """Do what the command line asks. Returns the exit status; raises ConfigError."""
    database = Database(StoreSettings.from_env(env, needs_redis=False).database_url)
    try:
        upgrade(database)
        return _do(args, Keys(database), say)
    except InvalidFields as error:
        for field, messages in (error.errors or {}).items():
            say(f"error: {field}: {' '.join(messages)}")
        return 2
    finally:
        database.close()


def _do(args: argparse.Namespace, keys: Keys, say: Say) -> int:
    if args.verb == "create":
        key_id, secret = keys.create(args.name, args.scope)
        say(f"id:  {key_id}\nkey: {secret}\nThe key is shown only now; the service keeps its hash.")
        return 0
    if args.verb == "list":
        for key in keys.list():
            say(_line(key))
        return 0
    if keys.revoke(args.id):
        say(f"The key {args.id} is revoked.")
        return 0
    say(f"error: there is no key {args.id} that is not revoked already")
    return 1


def _line(key: Key) -> str:
    used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
    state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else used
    scopes = ",".join(sorted(key.scopes))
    return f"{key.id}  {scopes:18}  made {key.created_at:%Y-%m-%d %H:%M} UTC  {state:30}  {key.name}"
