"""A training worker says which encoders it can begin with ImageNet weights."""

from shared.database.workers import Workers
from trainer.encoder_weights import EncoderWeights
from trainer.periodic import Periodic
from trainer.presence import Capabilities, Presence


def test_nothing_is_known_before_the_first_look_and_each_look_is_the_newest(tmp_path):
    found = [["resnet18"], ["*"]]
    weights = EncoderWeights(tmp_path, lambda folder: found.pop(0))
    assert weights.known is None
    weights.look()
    assert weights.known == ["resnet18"]
    weights.look()
    assert weights.known == ["*"]


def test_the_operators_folder_is_looked_through(tmp_path):
    (tmp_path / "vgg16-397923af.pth").touch()
    weights = EncoderWeights(tmp_path)
    weights.look()
    assert weights.known == ["vgg16"]


def test_a_look_that_fails_leaves_what_was_known(tmp_path):
    answers = [["resnet18"]]
    weights = EncoderWeights(tmp_path, lambda folder: answers.pop(0))
    chore = Periodic("encoder_weights", weights.look, 600)
    chore.run_once()
    chore.run_once()
    assert weights.known == ["resnet18"]


def test_a_beat_tells_the_database(database):
    workers, weights = Workers(database), EncoderWeights(None, lambda folder: ["resnet18"])
    presence = Presence(workers, "host-1-ab", "training", lambda: Capabilities(encoder_weights=weights.known))
    presence.beat()
    assert [worker.encoder_weights for worker in workers.seen("training")] == [None]
    weights.look()
    presence.beat()
    assert [worker.encoder_weights for worker in workers.seen("training")] == [["resnet18"]]
