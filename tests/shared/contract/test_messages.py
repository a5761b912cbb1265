"""Messages survive the queue, and nothing else passes for one."""

import json

import pytest

from shared.contract.errors import InvalidMessage
from shared.contract.messages import SegmentMessage


def test_a_message_survives_json():
    message = SegmentMessage("abc-123", "req/42")
    assert SegmentMessage.from_json(json.loads(json.dumps(message.to_json()))) == message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"job_id": "a"},
        {"job_id": "a", "request_id": "r", "pixels": "AAAA"},
        {"job_id": "", "request_id": "r"},
        {"job_id": "../etc/passwd", "request_id": "r"},
        {"job_id": "a" * 65, "request_id": "r"},
        {"job_id": 7, "request_id": "r"},
        {"job_id": "a", "request_id": None},
        {"job_id": "a", "request_id": "two\nlines"},
        {"job_id": "a\n", "request_id": "r"},
    ],
)
def test_anything_else_is_refused(fields):
    with pytest.raises(InvalidMessage):
        SegmentMessage.from_json(fields)


def test_what_is_missing_and_what_is_unknown_are_named():
    with pytest.raises(
        InvalidMessage, match=r"missing fields: \['request_id'\], unknown fields: \['pixels'\]"
    ):
        SegmentMessage.from_json({"job_id": "a", "pixels": "b"})
