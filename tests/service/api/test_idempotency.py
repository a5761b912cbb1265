"""Idempotency-Key: the same request sent again makes nothing new."""

from tests.fakes import images
from tests.service.conftest import SLICE, Api

KEY = {"Idempotency-Key": "visit-17"}
OTHER_SLICE = images.png(images.picture(seed=1))


def test_the_same_request_again_is_200_with_the_same_resource(api: Api) -> None:
    first = api.post(headers=KEY, threshold="0.4")
    again = api.post(headers=KEY, threshold="0.40")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert len(api.client.get("/v1/segmentations").json["items"]) == 1


def test_how_long_to_wait_and_in_what_shape_to_answer_is_no_other_content(api: Api) -> None:
    first = api.post(headers=KEY)
    again = api.post(headers=KEY, wait="0", mask_format="none")
    assert again.status_code == 200 and again.json["id"] == first.json["id"]


def test_other_fields_or_another_file_are_422(api: Api) -> None:
    api.post(headers=KEY)
    for answer in (api.post(headers=KEY, threshold="0.3"), api.post(OTHER_SLICE, headers=KEY)):
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_mismatch")


def test_the_first_request_still_at_work_is_409(api: Api) -> None:
    send = api.jobs.send
    nested = []

    def send_while_another_comes(message):
        api.jobs.send = send  # type: ignore[method-assign]
        send(message)

    accept = api.parts.stored.segmentations.accept

    def accept_while_another_comes(new, **options):
        if not nested:
            nested.append(None)
            nested[0] = api.post(headers=KEY)
        return accept(new, **options)

    api.parts.stored.segmentations.accept = accept_while_another_comes  # type: ignore[method-assign]
    assert api.post(headers=KEY).status_code == 201
    assert (nested[0].status_code, nested[0].json["code"]) == (409, "idempotency_in_progress")


def test_a_request_that_was_refused_may_be_sent_again(api: Api) -> None:
    api.jobs.down = True
    assert api.post(headers=KEY).status_code == 503
    api.jobs.down, api.jobs.send_fails = False, True
    assert api.post(headers=KEY).status_code == 503
    api.jobs.send_fails = False
    assert api.post(b"text", headers=KEY).status_code == 415
    assert api.post(SLICE, headers=KEY).status_code == 201


def test_keys_of_two_owners_do_not_meet(guarded: Api) -> None:
    one, two = guarded.key("infer"), guarded.key("infer")
    assert guarded.post(headers=KEY | one).status_code == 201
    assert guarded.post(OTHER_SLICE, headers=KEY | two).status_code == 201


def test_after_a_delete_the_key_leads_to_410(api: Api) -> None:
    made = api.post(headers=KEY)
    api.client.delete(made.headers["Location"])
    assert api.post(headers=KEY).status_code == 410


def test_a_key_that_is_too_long_is_422(api: Api) -> None:
    answer = api.post(headers={"Idempotency-Key": "x" * 256})
    assert answer.status_code == 422 and "Idempotency-Key" in answer.json["errors"]
