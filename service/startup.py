"""What happens once before the API answers: schema, shipped models, the bootstrap key, and refusing what is unsafe."""

from collections.abc import Iterable

from service.intake.presets import read_presets
from service.settings import ServiceSettings
from service.web.allowed_hosts import is_loopback
from shared.contract.config import ConfigError
from shared.database.database import Database
from shared.database.keys import Keys
from shared.database.migrate import upgrade
from shared.database.models import Models


def prepare(settings: ServiceSettings, database: Database) -> None:
    """Bring the database up to date; any number of processes may do so at once. Raises ConfigError."""
    read_presets(settings.recipes_dir)  # a broken one is said now, once, and not by each process
    upgrade(database)
    keys = Keys(database)
    if settings.bootstrap_key_file is not None:
        keys.ensure_from_file(settings.bootstrap_key_file)
    _refuse_without_key(settings, keys)
    Models(database).register_shipped(settings.store.models_dir)


def _refuse_without_key(settings: ServiceSettings, keys: Keys) -> None:
    if is_loopback(settings.host) or keys.any_exists():
        return
    raise ConfigError(
        f"HOST is {settings.host!r}, an address that others can reach, and there is no key: make one with "
        "`python -m service keys create NAME --scope infer`, or set BOOTSTRAP_KEY_FILE to a file that holds one, "
        "or leave HOST at 127.0.0.1"
    )


def refuse_unsafe_addresses(settings: ServiceSettings, hosts: Iterable[str]) -> None:
    """Raise ConfigError if a socket that others can reach belongs to a start that asks for no key."""
    unsafe = [host for host in hosts if not is_loopback(host)]
    if settings.open_access and unsafe:
        raise ConfigError(
            f"This start asks for no key and may not listen on {', '.join(unsafe)}: set HOST to that address "
            "instead of --bind, and make a key"
        )
