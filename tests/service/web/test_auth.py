"""Keys, scopes and owners."""

import pytest

from service.pages.assets import fingerprint
from tests.service.conftest import SLICE, Api

ROUTES = [
    "/v1/segmentations",
    "/v1/segmentations/x",
    "/v1/models",
    "/v1/models/aliases",
    "/v1/system",
    "/metrics",
]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer ", "Basic abc", "Bearer " + "x" * 5000, "", "ä"]
)
def test_without_a_valid_key_it_is_401(guarded: Api, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode().decode("latin-1")}
    answer = guarded.client.get(path, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path",
    [
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/docs",
        "/login",
        f"/static/{fingerprint()}/style.css",
    ],
)
def test_what_tells_nothing_is_open(guarded: Api, path: str) -> None:
    assert guarded.client.get(path).status_code == 200


def test_the_scope_infer_segments_and_no_more(guarded: Api) -> None:
    key = guarded.key("infer")
    assert guarded.post(headers=key).status_code == 201
    change = guarded.client.put("/v1/models/aliases/default", json={"model": "lgg-unet"}, headers=key)
    assert (change.status_code, change.json["code"]) == (403, "forbidden")


def test_the_scope_train_alone_does_not_segment(guarded: Api) -> None:
    answer = guarded.post(headers=guarded.key("train"))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden") and "infer" in answer.json[
        "detail"
    ]


def test_the_key_is_asked_for_before_the_body_is_read(guarded: Api) -> None:
    assert guarded.client.post("/v1/segmentations", data=b"rubbish").status_code == 401


def test_a_revoked_key_ends_at_once(guarded: Api) -> None:
    key_id, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    headers = {"Authorization": f"Bearer {secret}"}
    assert guarded.client.get("/v1/segmentations", headers=headers).status_code == 200
    guarded.parts.stored.keys.revoke(key_id)
    assert guarded.client.get("/v1/segmentations", headers=headers).status_code == 401


def test_what_another_owner_made_is_404_and_not_listed(guarded: Api) -> None:
    mine, theirs = guarded.key("infer"), guarded.key("infer")
    links = guarded.post(headers=mine).json["links"]
    for link in links.values():
        assert guarded.client.get(link, headers=mine).status_code == 200
        assert guarded.client.get(link, headers=theirs).status_code == 404
    assert guarded.client.delete(links["self"], headers=theirs).status_code == 404
    assert guarded.client.get("/v1/segmentations", headers=theirs).json["items"] == []
    assert len(guarded.client.get("/v1/segmentations", headers=mine).json["items"]) == 1


def test_admin_sees_all(guarded: Api) -> None:
    links = guarded.post(headers=guarded.key("infer")).json["links"]
    admin = guarded.key("admin")
    assert guarded.client.get(links["self"], headers=admin).status_code == 200
    assert len(guarded.client.get("/v1/segmentations", headers=admin).json["items"]) == 1
    assert guarded.client.delete(links["self"], headers=admin).status_code == 204


def test_on_loopback_no_key_is_asked_but_a_given_one_counts(api: Api) -> None:
    assert api.post().status_code == 201
    assert api.post(headers={"Authorization": "Bearer wrong"}).status_code == 401
    key = api.key("infer")
    assert api.post(SLICE, headers=key).status_code == 201
    assert len(api.client.get("/v1/segmentations", headers=key).json["items"]) == 1
    assert len(api.client.get("/v1/segmentations").json["items"]) == 2
