"""One shape for every error, whoever raised it."""

import json

import pytest
from flask import abort
from sqlalchemy.exc import OperationalError

from service.pages.assets import fingerprint
from service.web.problems import STATUS, status_of
from shared.contract.errors import JobFailed, ServiceError
from tests.service.conftest import Api


def tree(cls: type[ServiceError]) -> set[type[ServiceError]]:
    return {cls}.union(*(tree(child) for child in cls.__subclasses__()))


def test_every_error_that_a_request_can_meet_has_a_status_of_a_client_or_of_try_again() -> None:
    inner = tree(JobFailed) | {ServiceError}
    for error in tree(ServiceError) - inner:
        if error.__name__ not in ("InvalidMessage", "InvalidCard", "DatasetError"):  # of workers alone
            assert 400 <= status_of(error) < 500 or status_of(error) == 503, error
    assert all(issubclass(error, ServiceError) for error in STATUS)


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 405, 408, 409, 410, 413, 414, 415, 421, 422, 429, 431, 500, 503]
)
def test_every_status_has_the_same_shape(api: Api, status: int) -> None:
    api.app.add_url_rule("/v1/broken", view_func=lambda: abort(status))
    answer = api.client.get("/v1/broken", headers={"X-Request-ID": "abc"})
    assert answer.status_code == status and answer.content_type == "application/problem+json"
    body = json.loads(answer.data)
    assert body.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert body["status"] == status and body["request_id"] == "abc" == answer.headers["X-Request-ID"]
    assert body["type"].endswith(f"#{body['code']}")


def test_a_method_that_a_route_does_not_have_is_405_with_allow(api: Api) -> None:
    answer = api.client.put("/v1/segmentations")
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]


def test_an_unexpected_error_says_nothing_of_the_inside(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise RuntimeError("secret of /srv/data")

    api.app.add_url_rule("/v1/broken", view_func=broken)
    answer = api.client.get("/v1/broken", headers={"X-Request-ID": "find-me"})
    assert answer.status_code == 500 and "secret" not in answer.text
    logged = capsys.readouterr().out
    assert "secret of /srv/data" in logged and "find-me" in logged


def test_what_breaks_after_the_view_is_logged_and_told_like_the_rest(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("secret of /srv/data")

    api.app.after_request(broken)  # type: ignore[type-var]
    answer = api.client.get("/health/live")
    assert answer.status_code == 500 and answer.content_type == "application/problem+json"
    assert "request_id" in answer.json["detail"] and "secret" not in answer.text
    assert "unexpected_error" in capsys.readouterr().out


def test_a_database_that_is_gone_is_503(api: Api) -> None:
    def broken() -> None:
        raise OperationalError("SELECT 1", {}, Exception("postgres://user:password@host"))

    api.app.add_url_rule("/v1/broken", view_func=broken)
    answer = api.client.get("/v1/broken")
    assert (answer.status_code, answer.json["code"]) == (503, "storage_unavailable")
    assert "Retry-After" in answer.headers and "password" not in answer.text


@pytest.mark.parametrize("given", ["", "has space", "x" * 65, "semi;colon", "ä"])
def test_a_request_id_that_is_not_valid_is_replaced(api: Api, given: str) -> None:
    headers = {"X-Request-ID": given.encode().decode("latin-1")}
    answer = api.client.get("/health/live", headers=headers)
    assert answer.headers["X-Request-ID"] != given and len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/segmentations", "/nothing", "/openapi.json", f"/static/{fingerprint()}/style.css", "/metrics"],
)
def test_every_answer_carries_the_security_headers(api: Api, path: str) -> None:
    headers = api.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "X-Request-ID" in headers and "Cache-Control" in headers


def test_a_person_gets_a_page_and_a_program_gets_json(api: Api) -> None:
    page = api.client.get("/nothing", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.status_code == 404 and page.mimetype == "text/html" and "not found" in page.text.lower()
    assert api.client.get("/nothing").content_type == "application/problem+json"
    in_api = api.client.get("/v1/nothing", headers={"Accept": "text/html"})
    assert in_api.content_type == "application/problem+json"


def test_log_lines_hold_no_file_name_and_no_query(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    import io

    data = {"image": (io.BytesIO(b"text"), "Jane_Doe_1970.png")}
    api.client.post("/v1/segmentations?name=Jane", data=data)
    assert "Jane" not in capsys.readouterr().out
