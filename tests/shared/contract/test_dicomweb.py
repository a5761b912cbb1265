"""Settings of DICOMweb servers: what is unsafe or wrong names itself, and no secret is repeated."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from shared.contract.config import ConfigError, EnvReader
from shared.contract.dicomweb import DicomwebSettings
from shared.contract.dicomweb_server import UID, DicomwebServer, host_and_port, read_secret

GOOD = {"url": "https://pacs.example/dicom-web"}


def env(folder: Path, allowed: str = "pacs.example", **servers: dict[str, Any]) -> dict[str, str]:
    lines: list[str] = []
    for name, table in servers.items():
        lines += [f"[servers.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    (folder / "servers.toml").write_text("\n".join(lines))
    return {"DICOMWEB_SERVERS_FILE": str(folder / "servers.toml"), "DICOMWEB_ALLOWED_HOSTS": allowed}


def problems(settings: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        DicomwebSettings.from_env(settings)
    return str(caught.value)


def test_without_a_file_there_are_no_servers() -> None:
    assert dict(DicomwebSettings.from_env({}).servers) == {}
    assert dict(DicomwebSettings.from_env({"DICOMWEB_SERVERS_FILE": " "}).servers) == {}


def test_a_server_and_its_defaults(tmp_path: Path) -> None:
    servers = DicomwebSettings.from_env(
        env(tmp_path, pacs={"url": "https://PACS.example/dicom-web/"})
    ).servers
    server = servers["pacs"]
    assert (server.name, server.url) == ("pacs", "https://PACS.example/dicom-web")
    assert (server.timeout_s, server.retries, server.username) == (30, 3, None)
    assert DicomwebServer.from_json(json.loads(json.dumps(server.to_json()))) == server


def test_secrets_lie_in_files_beside_it_and_are_not_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("top secret\n")
    (tmp_path / "token").write_text("a.token")
    basic = {**GOOD, "username": "me", "password_file": "password"}
    bearer = {**GOOD, "token_file": str(tmp_path / "token"), "ca_file": "token"}
    servers = DicomwebSettings.from_env(env(tmp_path, basic=basic, bearer=bearer)).servers
    assert servers["basic"].password_file == str(tmp_path / "password")
    assert read_secret(str(servers["basic"].password_file)) == "top secret"
    assert "secret" not in repr(servers).replace("secrets", "") and "a.token" not in repr(servers)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "url"),
        ({"url": "pacs.example"}, "url"),
        ({"url": "ftp://pacs.example"}, "url"),
        ({"url": "https://pacs.example:x/"}, "url"),
        ({"url": 5}, "url"),
        ({"url": "https://me:pass-word@pacs.example/"}, "username"),
        ({"url": "https://@pacs.example/"}, "username"),
        ({"url": "https://pacs.example/?a=1"}, "path"),
        ({"url": "https://pacs.example/#a"}, "path"),
        ({"url": "https://pacs.example\\\\@elsewhere/"}, "pacs"),
        ({"url": "http://pacs.example/"}, "insecure"),
        ({"url": "https://elsewhere.example/"}, "elsewhere.example:443"),
        ({"url": "https://pacs.example:8443/"}, "pacs.example:8443"),
        ({"url": "https://pacs.example.elsewhere/"}, "DICOMWEB_ALLOWED_HOSTS"),
        ({**GOOD, "password": "hunter2hunter2"}, "password_file"),
        ({**GOOD, "api_key": "hunter2hunter2"}, "password_file"),
        ({**GOOD, "verify": False}, "known are"),
        ({**GOOD, "username": "me"}, "both or none"),
        ({**GOOD, "password_file": "good"}, "both or none"),
        ({**GOOD, "username": "me", "password_file": "none"}, "password_file"),
        ({**GOOD, "username": "me", "password_file": "empty"}, "password_file"),
        ({**GOOD, "username": "me", "password_file": "good", "token_file": "good"}, "one of them"),
        ({**GOOD, "token_file": "lines"}, "token_file"),
        ({**GOOD, "ca_file": "none"}, "ca_file"),
        ({**GOOD, "timeout_s": 0}, "timeout_s"),
        ({**GOOD, "timeout_s": "30"}, "timeout_s"),
        ({**GOOD, "timeout_s": True}, "timeout_s"),
        ({**GOOD, "retries": 1.5}, "retries"),
        ({**GOOD, "retries": 11}, "retries"),
        ({**GOOD, "insecure": "yes"}, "insecure"),
    ],
)
def test_what_is_wrong_or_unsafe_is_named_with_the_server_and_without_values(
    tmp_path: Path, table: dict[str, Any], said: str
) -> None:
    for name, content in {"good": "hunter2hunter2", "empty": "\n", "lines": "hunter2hunter2\nb"}.items():
        (tmp_path / name).write_text(content)
    text = problems(env(tmp_path, pacs=table))
    assert text.startswith("DICOMWEB_SERVERS_FILE is ") and "server pacs " in text and said in text
    assert "hunter2" not in text and "pass-word" not in text


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    text = problems(env(tmp_path, one={"url": "x"}, two={**GOOD, "retries": -1, "timeout_s": -1}))
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize(
    "content", ["", "servers = 3", "[servers]", "[servers.a b]", "[server.x]", "\xff", "a = 'hunter2"]
)
def test_a_file_that_says_something_else(tmp_path: Path, content: str) -> None:
    (tmp_path / "servers.toml").write_text(content, encoding="latin-1")
    given = {"DICOMWEB_SERVERS_FILE": str(tmp_path / "servers.toml"), "DICOMWEB_ALLOWED_HOSTS": "a"}
    text = problems(given)
    assert "DICOMWEB_SERVERS_FILE" in text and "hunter2" not in text


@pytest.mark.parametrize("name", ["a b", "../x", "x" * 33, "-", "ä"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    assert "name" in problems(env(tmp_path, **{json.dumps(name, ensure_ascii=False): GOOD}))


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        assert "cannot be read" in problems(
            {"DICOMWEB_SERVERS_FILE": str(path), "DICOMWEB_ALLOWED_HOSTS": "a"}
        )


def test_hosts_must_be_allowed(tmp_path: Path) -> None:
    given = env(tmp_path, pacs=GOOD)
    del given["DICOMWEB_ALLOWED_HOSTS"]
    assert "DICOMWEB_ALLOWED_HOSTS is not set" in problems(given)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://pacs.example/", "other.example, PACS.example"),
        ("https://pacs.example/", "pacs.example:443"),
        ("https://pacs.example:8443/x", "pacs.example:8443"),
        ("http://localhost:8042/dicom-web", "localhost:8042"),
        ("http://127.0.0.1:8042/dicom-web", "127.0.0.1:8042"),
        ("http://[::1]:8042/dicom-web", "[::1]:8042"),
        ("https://pacs.example./", "pacs.example"),
    ],
)
def test_hosts_are_compared_with_their_ports(tmp_path: Path, url: str, allowed: str) -> None:
    server = DicomwebSettings.from_env(env(tmp_path, allowed, pacs={"url": url})).servers["pacs"]
    assert server.allows(f"{url}/studies/1.2")
    for elsewhere in ("https://elsewhere/", "https://pacs.example:1/", "file:///etc/passwd", "x", ""):
        assert not server.allows(elsewhere)


def test_in_the_clear_only_where_it_is_said(tmp_path: Path) -> None:
    table = {"url": "http://pacs.example/", "insecure": True}
    assert DicomwebSettings.from_env(env(tmp_path, pacs=table)).servers["pacs"].url == "http://pacs.example"


def test_the_api_does_not_need_the_secrets(tmp_path: Path) -> None:
    table = {**GOOD, "token_file": "only-the-worker-has-it", "ca_file": "and-this"}
    reader = EnvReader(env(tmp_path, pacs=table))
    assert [*DicomwebSettings.read(reader, secrets=False).servers] == ["pacs"]
    assert reader.problems == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_secret_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").touch(mode=0)
    assert "token_file" in problems(env(tmp_path, pacs={**GOOD, "token_file": "token"}))


@pytest.mark.parametrize("uid", ["1", "0", "1.2.840.10008", "2.25." + "1" * 59, "1.0.2"])
def test_uids(uid: str) -> None:
    assert UID.fullmatch(uid)


@pytest.mark.parametrize(
    "uid", ["", ".", "1.", ".1", "01", "1.00", "1..2", "2.25." + "1" * 60, "1\n", "1.2/3", "١"]
)
def test_what_is_no_uid(uid: str) -> None:
    assert not UID.fullmatch(uid)


@pytest.mark.parametrize("url", ["", "x", "//x", "http://", "http://:80", "http://[::1", "https://a:99999"])
def test_what_has_no_host(url: str) -> None:
    assert host_and_port(url) is None
