"""Settings of the API: what is unsafe or wrong names itself."""

from pathlib import Path

import pytest

from service.settings import ServiceSettings
from service.startup import prepare, refuse_unsafe_addresses
from shared.contract.config import ConfigError
from shared.database.database import Database
from shared.database.keys import Keys


def read(tmp_path: Path, **env: str) -> ServiceSettings:
    return ServiceSettings.from_env(
        {
            "DATA_DIR": str(tmp_path),
            "MODELS_DIR": str(tmp_path / "models"),
            "REDIS_URL": "unix:///x.sock",
            **env,
        }
    )


def test_the_default_is_loopback_without_a_key(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.host == "127.0.0.1" and settings.open_access


@pytest.mark.parametrize(
    "env", [{"HOST": "0.0.0.0"}, {"HOST": "::"}, {"HOST": "mri.example"}, {"REQUIRE_KEY": "1"}]
)
def test_elsewhere_a_key_is_asked(tmp_path: Path, env: dict[str, str]) -> None:
    assert not read(tmp_path, **env).open_access


def test_a_key_file_asks_for_keys_on_loopback_too(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("x" * 40)
    assert not read(tmp_path, BOOTSTRAP_KEY_FILE=str(file)).open_access


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "0.0.0.0"),
        ("BOOTSTRAP_KEY_FILE", "/nowhere"),
        ("SECRET_KEY", "short"),
        ("MAX_UPLOAD_BYTES", "25MB"),
        ("MAX_QUEUED", "0"),
        ("MAX_VOLUME_BYTES", "1GiB"),
        ("MAX_QUEUED_VOLUMES", "0"),
        ("MAX_QUEUED_RUNS", "0"),
        ("SSE_S", "0"),
        ("RECIPES_DIR", __file__),
        ("WEB_THREADS", "1"),
        ("PORT", "70000"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_names_itself(tmp_path: Path, name: str, value: str) -> None:
    env = {name: value} | ({"REQUIRE_KEY": "0"} if name == "HOST" else {})
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **env)
    assert name in str(caught.value)
    assert name != "SECRET_KEY" or value not in str(caught.value).replace("too short", "")


def test_an_address_that_others_reach_needs_a_key_in_the_database(tmp_path: Path) -> None:
    settings = read(tmp_path, HOST="0.0.0.0")
    database = Database(settings.store.database_url)
    with pytest.raises(ConfigError, match="keys create"):
        prepare(settings, database)
    Keys(database).create("ward", ["infer"])
    prepare(settings, database)
    database.close()


def test_a_key_file_makes_its_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("x" * 40 + "\n")
    settings = read(tmp_path, HOST="0.0.0.0", BOOTSTRAP_KEY_FILE=str(file))
    database = Database(settings.store.database_url)
    for _ in range(2):
        prepare(settings, database)
    key = Keys(database).verify("x" * 40)
    assert key is not None and key.allows("admin")
    database.close()


def test_a_bind_that_goes_past_the_settings_is_refused(tmp_path: Path) -> None:
    settings = read(tmp_path)
    refuse_unsafe_addresses(settings, ["127.0.0.1", "::1"])
    with pytest.raises(ConfigError, match="0.0.0.0"):
        refuse_unsafe_addresses(settings, ["127.0.0.1", "0.0.0.0"])
    refuse_unsafe_addresses(read(tmp_path, REQUIRE_KEY="1"), ["0.0.0.0"])


def test_dicomweb_servers_are_known_by_name_without_their_secrets(tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    file.write_text('[servers.pacs]\nurl = "https://pacs.example/"\ntoken_file = "the-worker-has-it"\n')
    settings = read(tmp_path, DICOMWEB_SERVERS_FILE=str(file), DICOMWEB_ALLOWED_HOSTS="pacs.example")
    assert [*settings.dicomweb.servers] == ["pacs"]
    with pytest.raises(ConfigError, match="DICOMWEB_ALLOWED_HOSTS"):
        read(tmp_path, DICOMWEB_SERVERS_FILE=str(file))
