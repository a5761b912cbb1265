"""Names on the wire are fixed: a rename would strand messages and clients."""

from shared.contract.names import ENDED, Queue, Scope, SegmentationStatus, Task, done_key, pixels_key


def test_names_on_the_wire_do_not_change():
    assert {q.value for q in Queue} == {"inference", "training"}
    assert Task.SEGMENT == "inference.segment"
    assert {s.value for s in Scope} == {"infer", "train", "admin"}
    assert (pixels_key("a1"), done_key("a1")) == ("pixels:a1", "done:a1")


def test_a_segmentation_has_two_open_states_and_three_ends():
    assert set(SegmentationStatus) - ENDED == {SegmentationStatus.QUEUED, SegmentationStatus.RUNNING}
    assert {s.value for s in ENDED} == {"succeeded", "failed", "cancelled"}
