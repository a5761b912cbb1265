"""`python -m service keys`."""

from pathlib import Path

import pytest

from service.__main__ import main
from shared.database.database import Database
from shared.database.keys import Keys


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return tmp_path


def test_a_key_is_made_shown_once_listed_and_revoked(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "ward-3", "--scope", "infer", "--scope", "train"]) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines()[:2])
    key_id, secret = lines["id"].strip(), lines["key"].strip()
    database = Database(f"sqlite:///{data_dir / 'service.sqlite3'}")
    key = Keys(database).verify(secret)
    assert key is not None and key.name == "ward-3" and key.scopes == {"infer", "train"}
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert key_id in listed and "infer,train" in listed and secret not in listed
    assert main(["keys", "revoke", key_id]) == 0
    assert Keys(database).verify(secret) is None
    assert main(["keys", "revoke", key_id]) == 1
    assert main(["keys", "list"]) == 0 and "revoked" in capsys.readouterr().out
    database.close()


@pytest.mark.parametrize(
    "argv", [["create", "a"], ["create", "a", "--scope", "root"], ["create", "--scope", "infer"], []]
)
def test_a_wrong_command_line_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["keys", *argv])
    assert caught.value.code == 2


def test_a_wrong_name_and_a_wrong_setting_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "", "--scope", "infer"]) == 2
    assert "name" in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_URL", "mysql://x")
    assert main(["keys", "list"]) == 2
    assert "DATABASE_URL" in capsys.readouterr().err
