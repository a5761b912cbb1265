"""Settings: defaults, and one text that names everything that is wrong without telling secrets."""

from pathlib import Path

import pytest

from shared.contract.config import GIB, ConfigError, DatasetSettings, EnvReader, StoreSettings, redact

REDIS = {"REDIS_URL": "redis://127.0.0.1:7000/0"}


def test_everything_but_redis_has_a_default(tmp_path):
    settings = StoreSettings.from_env({**REDIS, "DATA_DIR": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/service.sqlite3"
    assert settings.store_url == str(tmp_path / "files")
    assert settings.models_dir == Path("models").absolute()
    assert (settings.retention_hours, settings.lease_s, settings.max_attempts) == (24, 10, 3)


def test_the_data_folder_does_not_depend_on_who_asks():
    assert StoreSettings.from_env(REDIS).data_dir == Path("data").absolute()


def test_a_missing_redis_is_named_with_what_to_do():
    with pytest.raises(ConfigError, match=r"REDIS_URL is not set.*make run"):
        StoreSettings.from_env({})


def test_commands_that_only_touch_the_database_need_no_redis():
    assert StoreSettings.from_env({}, needs_redis=False).redis_url == ""


def test_all_problems_are_told_at_once():
    env = {"DATABASE_URL": "mysql://h/x", "LEASE_S": "soon", "MAX_ATTEMPTS": "0", "RETENTION_HOURS": "nan"}
    with pytest.raises(ConfigError) as caught:
        StoreSettings.from_env(env)
    named = [problem.split()[0] for problem in caught.value.problems]
    assert sorted(named) == ["DATABASE_URL", "LEASE_S", "MAX_ATTEMPTS", "REDIS_URL", "RETENTION_HOURS"]
    assert "'soon'" in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url):
    with pytest.raises(ConfigError, match="one process only"):
        StoreSettings.from_env({**REDIS, "DATABASE_URL": url})


def test_no_password_is_ever_repeated():
    env = {"DATABASE_URL": "mysql://bob:hunter2@h/x?password=hunter3", "REDIS_URL": "http://:hunter4@h"}
    with pytest.raises(ConfigError) as caught:
        StoreSettings.from_env(env)
    assert "hunter" not in str(caught.value)


def test_a_secret_value_is_not_shown():
    reader = EnvReader({"TOKEN": "hunter2"})
    reader.problem("TOKEN", "which is too short", "give a longer one", secret=True)
    assert reader.problems == ["TOKEN (not shown), which is too short: give a longer one"]


def test_redacting_keeps_the_rest_of_a_url():
    assert redact("redis://u:p@host:6379/0") == "redis://***@host:6379/0"
    assert redact("postgresql://host/db?user=u&password=p&sslmode=require") == (
        "postgresql://host/db?user=u&password=***&sslmode=require"
    )


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock"),
        ("unix:///run/r.sock?db=3", "redis+socket:///run/r.sock?virtual_host=3"),
    ],
)
def test_celery_gets_its_own_spelling_of_a_unix_socket(redis_url, broker_url):
    assert StoreSettings.from_env({"REDIS_URL": redis_url}).broker_url == broker_url


def test_the_password_of_the_database_may_stand_in_a_file(tmp_path):
    (tmp_path / "password").write_text("p@ss/word\n")
    env = {
        **REDIS,
        "DATABASE_URL": "postgresql://seg@db/seg",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
    }
    assert StoreSettings.from_env(env).database_url == "postgresql://seg:p%40ss%2Fword@db/seg"


@pytest.mark.parametrize("database_url", ["postgresql://db/seg", "postgresql://seg:secret@db/seg"])
def test_a_password_file_that_fits_no_url_is_refused(tmp_path, database_url):
    (tmp_path / "password").write_text("x")
    env = {**REDIS, "DATABASE_URL": database_url, "DATABASE_PASSWORD_FILE": str(tmp_path / "password")}
    with pytest.raises(ConfigError, match="DATABASE_PASSWORD_FILE"):
        StoreSettings.from_env(env)


def test_a_password_file_that_cannot_be_read_is_named(tmp_path):
    env = {
        **REDIS,
        "DATABASE_URL": "postgresql://seg@db/seg",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "none"),
    }
    with pytest.raises(ConfigError, match="DATABASE_PASSWORD_FILE.*cannot be read"):
        StoreSettings.from_env(env)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="DATA_DIR.*not a folder"):
        StoreSettings.from_env({**REDIS, "DATA_DIR": str(file)})


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("YES", True), ("off", False), ("", True)])
def test_flags_read_as_people_write_them(value, expected):
    assert EnvReader({"F": value}).flag("F", True) is expected


def test_a_reader_goes_on_after_a_problem_with_the_default():
    reader = EnvReader({"F": "perhaps", "C": "purple", "N": "1e3", "I": "1.5", "U": "ftp://x"})
    assert reader.flag("F", False) is False
    assert reader.choice("C", "red", ["red", "blue"]) == "red"
    assert reader.number("N", 1, 0, 10) == 1
    assert reader.integer("I", 2, 0, 10) == 2
    reader.url("U", "", ["http"], todo="give a web address")
    reader.text("T", todo="say something")
    with pytest.raises(ConfigError) as caught:
        reader.finish()
    assert [problem[0] for problem in caught.value.problems] == ["F", "C", "N", "I", "U", "T"]


def test_good_values_are_taken():
    reader = EnvReader({"C": "blue", "N": "0.5", "I": " 7 ", "T": "x"})
    assert (reader.choice("C", "red", ["red", "blue"]), reader.number("N", 1, 0, 1)) == ("blue", 0.5)
    assert (reader.integer("I", 2, 0, 10), reader.text("T"), reader.text("D", "default")) == (
        7,
        "x",
        "default",
    )
    reader.finish()


def test_datasets_have_limits_and_no_folder_unless_one_is_given(tmp_path):
    settings = DatasetSettings.read(EnvReader({}))
    assert settings == DatasetSettings()
    assert (settings.datasets_dir, settings.max_dataset_bytes) == (None, 20 * GIB)
    given = {"DATASETS_DIR": str(tmp_path), "MAX_DATASET_FILES": "7", "MAX_DATASET_UNPACKED_BYTES": "5000"}
    settings = DatasetSettings.read(EnvReader(given))
    assert (settings.datasets_dir, settings.max_dataset_files) == (tmp_path, 7)
    assert settings.max_dataset_unpacked_bytes == 5000


def test_a_folder_of_datasets_that_is_not_there_is_named(tmp_path):
    reader = EnvReader({"DATASETS_DIR": str(tmp_path / "nope"), "MAX_DATASET_BYTES": "5 GB"})
    DatasetSettings.read(reader)
    with pytest.raises(ConfigError, match=r"(?s)DATASETS_DIR.*no such folder.*MAX_DATASET_BYTES"):
        reader.finish()
