"""The pictures that a model was trained on are known by their digests, in a file that cannot do harm."""

import json

import pytest

from shared.contract.errors import ModelUnusable
from shared.registry.learned import LEARNED, Learned, parse_learned, read_learned, write_learned


def test_what_was_written_is_read(tmp_path):
    digests = [b"12345678", b"abcdefgh", b"12345678"]
    write_learned(tmp_path, Learned(digests))
    learned = read_learned(tmp_path)
    assert len(learned) == 2
    assert all(digest in learned for digest in digests)
    assert not any(digest in learned for digest in (b"12345677", b"12345679", b"\0" * 8, b"\xff" * 8))


def test_a_model_that_does_not_say_has_no_such_file(tmp_path):
    assert read_learned(tmp_path) is None


def test_a_model_that_learned_from_nothing_says_so(tmp_path):
    write_learned(tmp_path, Learned())
    assert len(read_learned(tmp_path)) == 0
    assert b"12345678" not in read_learned(tmp_path)


def test_what_was_learned_before_stays_learned():
    before = Learned([b"12345678"])
    both = Learned([b"abcdefgh"], joined=before.joined())
    assert b"12345678" in both and b"abcdefgh" in both


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"digest": "md5", "pictures": ""}).encode(),
        json.dumps({"digest": "blake2b-8", "pictures": "!"}).encode(),
        json.dumps({"digest": "blake2b-8", "pictures": "AAAA"}).encode(),
        json.dumps({"digest": "blake2b-8", "pictures": 3}).encode(),
        json.dumps({"digest": "blake2b-8"}).encode(),
    ],
)
def test_a_damaged_file_is_named(content):
    with pytest.raises(ModelUnusable, match=LEARNED):
        parse_learned(content)
