"""API keys."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from shared.contract.config import ConfigError
from shared.contract.errors import InvalidFields
from shared.contract.names import Scope
from shared.database.audit import AuditLog
from shared.database.keys import Keys


@pytest.fixture
def keys(database, clock):
    return Keys(database, clock=clock)


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("s3cret-" * 6 + "\n")
    return path


def test_a_key_opens_with_its_secret_only(keys):
    id, secret = keys.create("ward 5", ["infer"])
    key = keys.verify(secret)
    assert (key.id, key.name, key.scopes) == (id, "ward 5", {"infer"})
    for wrong in ("", "seg_", secret[:-1], secret + "x", secret.upper(), "é", "\ud800", id):
        assert keys.verify(wrong) is None


def test_a_secret_is_256_random_bits_and_says_what_it_is(keys):
    secrets = {keys.create("k", ["infer"])[1] for _ in range(5)}
    assert len(secrets) == 5
    assert all(secret.startswith("seg_") and len(secret) == 47 for secret in secrets)


def test_only_the_hash_of_a_secret_is_kept(keys, database):
    _, secret = keys.create("k", ["infer"])
    with database.read() as connection:
        row = str(connection.execute(text("SELECT * FROM api_keys")).one())
    assert secret not in row
    assert hashlib.sha256(secret.encode()).hexdigest() in row


def test_a_revoked_key_opens_nothing(keys, clock):
    id, secret = keys.create("k", ["infer"])
    assert keys.any_exists()
    assert keys.revoke(id)
    assert keys.verify(secret) is None
    assert not keys.any_exists()
    assert not keys.revoke(id)
    assert not keys.revoke("nope")
    (listed,) = keys.list()
    assert listed.revoked_at == clock.now


def test_keys_are_listed_newest_first_without_secrets(keys, clock):
    _, first = keys.create("first", ["infer"])
    clock.tick(1)
    keys.create("second", ["train", "admin"])
    listed = keys.list()
    assert [key.name for key in listed] == ["second", "first"]
    assert first not in str(listed)


def test_admin_may_everything_and_others_what_they_say(keys):
    infer = keys.verify(keys.create("i", [Scope.INFER])[1])
    admin = keys.verify(keys.create("a", ["admin"])[1])
    assert infer.allows(Scope.INFER)
    assert not infer.allows("train")
    assert all(admin.allows(scope) for scope in Scope)


@pytest.mark.parametrize(
    ("name", "scopes", "wrong"),
    [
        ("", ["infer"], {"name"}),
        ("a\nb", ["infer"], {"name"}),
        ("a\0b", ["infer"], {"name"}),
        ("x" * 101, ["infer"], {"name"}),
        ("x", [], {"scopes"}),
        ("x", ["infer", "root"], {"scopes"}),
        ("", ["root"], {"name", "scopes"}),
    ],
)
def test_bad_names_and_scopes_are_named_at_once(keys, name, scopes, wrong):
    with pytest.raises(InvalidFields) as caught:
        keys.create(name, scopes)
    assert caught.value.errors.keys() == wrong


def test_the_last_use_is_noted_at_most_once_a_minute(keys, clock):
    _, secret = keys.create("k", ["infer"])
    start = clock.now
    keys.verify(secret)
    clock.tick(30)
    keys.verify(secret)
    assert keys.list()[0].last_used_at == start
    clock.tick(31)
    keys.verify(secret)
    assert keys.list()[0].last_used_at == clock.now


def test_creation_and_revocation_are_audited_with_who_did_it(keys, database, clock):
    id, _ = keys.create("k", ["infer"], actor="boss")
    clock.tick(1)
    keys.revoke(id)
    entries = AuditLog(database).list().items
    assert [(e.actor, e.action, e.object_id) for e in entries] == [
        ("system", "key.revoke", id),
        ("boss", "key.create", id),
    ]
    assert entries[0].at == clock.now


def test_the_key_of_a_file_is_made_once(keys, secret_file, database):
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(lambda _: keys.ensure_from_file(secret_file, {"admin", "infer", "train"}), range(4))
        )
    assert len({key.id for key in made}) == 1
    assert [key.name for key in keys.list()] == ["bootstrap"]
    assert [e.action for e in AuditLog(database).list().items] == ["key.create"]
    assert keys.verify(secret_file.read_text().strip()).allows("admin")


def test_a_revoked_key_is_not_brought_back_by_its_file(keys, secret_file):
    keys.revoke(keys.ensure_from_file(secret_file, ["admin"]).id)
    with pytest.raises(ConfigError, match="was revoked"):
        keys.ensure_from_file(secret_file, ["admin"])


@pytest.mark.parametrize("content", ["", "short", "two words that are long enough for a secret", "é" * 40])
def test_a_file_without_a_good_secret_says_what_to_do(keys, tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="BOOTSTRAP_KEY_FILE.*openssl rand"):
        keys.ensure_from_file(path, ["admin"])
    assert not keys.any_exists()


def test_a_file_that_is_missing_is_named(keys, tmp_path):
    with pytest.raises(ConfigError, match="BOOTSTRAP_KEY_FILE.*cannot be read"):
        keys.ensure_from_file(tmp_path / "none", ["admin"])
