"""A start that asks for no key answers to this machine only, and not to pages of other sites."""

import pytest

from service.web.allowed_hosts import host_name, is_loopback
from tests.service.conftest import Api


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "LOCALHOST", "app.localhost"]
)
def test_loopback_names_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "evil.example", "127.0.0.1.evil.example", "", "localhost.evil"]
)
def test_other_names_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("header", "name"), [("[::1]:80", "::1"), ("a:1", "a"), ("a", "a"), ("[", ""), ("a@b", "b")]
)
def test_the_name_of_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "[bad", "evil@localhost.example"]
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(api: Api, host: str) -> None:
    answer = api.client.get("/v1/segmentations", headers={"Host": host})
    assert answer.status_code in (400, 421) and answer.content_type == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:1", "[::1]:9"])
def test_loopback_names_are_answered(api: Api, host: str) -> None:
    assert api.client.get("/v1/segmentations", headers={"Host": host}).status_code == 200


def test_where_a_key_is_asked_every_name_is_answered(guarded: Api) -> None:
    headers = guarded.key("infer") | {"Host": "mri.hospital.example"}
    assert guarded.client.get("/v1/segmentations", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    ],
)
def test_a_form_of_another_site_is_refused(api: Api, headers: dict[str, str]) -> None:
    for answer in (api.post(headers=headers), api.client.post("/segment", headers=headers)):
        assert (answer.status_code, answer.json["code"]) == (403, "from_elsewhere") and not api.jobs.sent


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {}])
def test_our_own_pages_and_programs_are_not(api: Api, headers: dict[str, str]) -> None:
    assert api.post(headers=headers).status_code == 201
