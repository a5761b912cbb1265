"""Only a header that adds up is believed."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize

from shared.registry.weights_header import InvalidWeights, TensorEntry, read_header

GOOD = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b": {"dtype": "I64", "shape": [], "data_offsets": [12, 20]},
}


def file_of(header, data=bytes(20)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def read(content):
    return read_header(io.BytesIO(content), len(content))


def with_a(**changes):
    return {**GOOD, "a": {**GOOD["a"], **changes}}


def test_tensors_are_told_by_name():
    assert read(file_of(GOOD)) == {
        "a": TensorEntry("F16", (2, 3), 0, 12),
        "b": TensorEntry("I64", (), 12, 20),
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends too early"),
        (b"\x00" * 8, "ends too early"),
        (b"\xff" * 30, "ends too early"),
        (file_of(GOOD)[:-30], "ends too early"),
        ((5 << 20).to_bytes(8, "little") + bytes(6 << 20), "at most"),
        (file_of(b"{..}"), "not JSON"),
        (file_of(b"[" * 90_000), "not JSON"),
        (file_of(b"[1]"), "not a JSON object"),
        (file_of(b" {}"), "not a JSON object"),
        (file_of({}), "no tensor"),
        (file_of({"__metadata__": {"a": 1}}), "metadata"),
        (file_of(b'{"a": 1, "a": 2}'), "twice"),
        (file_of(b'{"a": NaN}'), "NaN"),
        (file_of({"a": 1}), "not just"),
        (file_of(with_a(more=1)), "not just"),
        (file_of(with_a(dtype="O")), "of the type 'O'"),
        (file_of(with_a(dtype=[])), "of the type"),
        (file_of(with_a(shape=[2, -3])), "shape of 'a'"),
        (file_of(with_a(shape=[True, 6])), "shape of 'a'"),
        (file_of(with_a(shape=[2, 10**30])), "shape of 'a'"),
        (file_of(with_a(shape=[1] * 9)), "shape of 'a'"),
        (file_of(with_a(data_offsets=[0])), "offsets of 'a'"),
        (file_of(with_a(data_offsets=[0.0, 12.0])), "offsets of 'a'"),
        (file_of(with_a(data_offsets=[0, 10])), "do not fit"),
        (file_of(with_a(shape=[2, 4])), "do not fit"),
        (file_of(with_a(data_offsets=[8, 20])), "overlap"),
        (file_of(with_a(shape=[5], data_offsets=[0, 10])), "gaps"),
        (file_of({"b": GOOD["b"]}), "gaps"),
        (file_of(GOOD, bytes(19)), "19 follow"),
        (file_of(GOOD, bytes(21)), "21 follow"),
    ],
)
def test_what_does_not_add_up_is_refused(content, why):
    with pytest.raises(InvalidWeights, match=why):
        read(content)


@given(st.data())
def test_what_is_believed_is_what_safetensors_reads(data):
    content = bytearray(file_of(GOOD))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.sampled_from(b'0123456789{}[]",:IF')
        )
    try:
        found = read(bytes(content))
    except InvalidWeights:
        return
    try:
        said = dict(deserialize(bytes(content)))
    except SafetensorError as error:
        raise AssertionError(f"safetensors refuses what we took: {error}") from error
    assert {n: (t["dtype"], tuple(t["shape"])) for n, t in said.items()} == {
        n: (t.dtype, t.shape) for n, t in found.items()
    }
