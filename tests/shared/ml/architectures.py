"""What every architecture must do, whoever added it: inherit, and give a fixture `choice`."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature

import pytest
import torch

from shared import catalog
from shared.ml.checkpoint import build_network, load_tensors, save_weights
from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor

SIDE = 32
CHANNELS_AND_CLASSES = [(1, 1), (3, 1), (4, 1), (1, 3), (3, 3), (4, 3)]
# smp's EfficientNet has the layers before its classifier, and calls none of them.
NEVER_CALLED = ("_conv_head.", "_bn1.")


@dataclass(frozen=True)
class Choice:
    """An entry of the table, small."""

    architecture: str
    encoder: str | None = None
    options: Mapping[str, float] = field(default_factory=dict)

    def build(self, in_channels: int = 3, classes: int = 1) -> SegmentationNetwork:
        """The same weights each time."""
        torch.manual_seed(0)
        return build_network(self.architecture, self.encoder, in_channels, classes, self.options)


class ArchitectureSuite:
    """Tests of one architecture."""

    @pytest.mark.parametrize(("in_channels", "classes"), CHANNELS_AND_CLASSES)
    def test_logits_have_the_inputs_size_whatever_the_channels_and_classes(
        self, choice, in_channels, classes
    ):
        network = choice.build(in_channels, classes).train()  # batch statistics keep the logits apart
        with torch.inference_mode():
            logits = network(torch.randn(2, in_channels, SIDE, SIDE + 32) * 10)
        assert logits.shape == (2, 1 if classes == 1 else classes + 1, SIDE, SIDE + 32)
        assert logits.isfinite().all()
        assert logits.min() < 0 or logits.max() > 1  # not squashed

    @pytest.mark.parametrize(("in_channels", "classes"), [(4, 1), (1, 3)])
    def test_a_training_step_reaches_every_parameter(self, choice, in_channels, classes):
        network = choice.build(in_channels, classes).to(memory_format=torch.channels_last).train()
        # Attention needs two places in the coarsest map, EfficientNet, which leaves blocks out by chance, a few slices.
        x = torch.randn(6, in_channels, 32, 64).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(x)
        assert logits.shape == (6, 1 if classes == 1 else classes + 1, 32, 64)
        logits.float().square().mean().backward()
        left_out = [n for n, p in network.named_parameters() if p.grad is None]
        assert [name for name in left_out if not any(part in name for part in NEVER_CALLED)] == []
        assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
        # A bias before a normalisation has no influence, and with it no gradient; weights have.
        weights = [p for p in network.parameters() if p.ndim > 1 and p.grad is not None]
        assert all(p.grad.any() for p in weights)

    def test_weights_survive_a_file_in_half_precision(self, choice, tmp_path):
        network = choice.build(classes=3).eval()
        save_weights(tmp_path, network, {})
        tensors, _ = load_tensors(tmp_path / "weights.safetensors")
        assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}
        other = choice.build(classes=3)
        for parameter in other.parameters():
            torch.nn.init.zeros_(parameter)
        other.load_state_dict(tensors)
        x = torch.randn(1, 3, SIDE, SIDE)
        with torch.inference_mode():
            expected, loaded = network(x), other.float().eval()(x)
        assert (loaded - expected).abs().mean() < 0.01 * max(1.0, expected.abs().max().item())

    @torch.inference_mode()
    def test_the_order_in_memory_makes_no_difference(self, choice):
        network = choice.build().eval()
        x = torch.randn(2, 3, SIDE, SIDE)
        expected = network(x)
        ordered = copy.deepcopy(network).to(memory_format=torch.channels_last)
        logits = ordered(x.contiguous(memory_format=torch.channels_last))
        assert (logits - expected).abs().max() < 1e-3 * max(1.0, expected.abs().max().item())

    @torch.inference_mode()
    def test_a_slice_is_judged_on_its_own_whatever_its_batch(self, choice):
        network = choice.build().eval()
        batch = torch.randn(3, 3, SIDE, SIDE)
        assert torch.allclose(network(batch)[1], network(batch[1:2])[0], atol=1e-4, rtol=1e-4)

    @torch.inference_mode()
    def test_features_are_one_row_a_slice_and_logits_stay_the_same_beside_them(self, choice):
        network = choice.build().eval()
        x = torch.randn(2, 3, SIDE, SIDE)
        logits, features = network.logits_and_features(x)
        assert features.ndim == 2 and len(features) == 2 and features.shape[1] >= 4
        assert not torch.equal(features[0], features[1])
        assert torch.allclose(logits, network(x), atol=1e-5)

    @torch.inference_mode()
    def test_flips_make_the_answer_indifferent_to_a_mirrored_slice(self, choice):
        predictor = Predictor(choice.build().eval(), ("horizontal",)).eval()
        x = torch.randn(2, 3, SIDE, SIDE)
        straight, *_ = predictor(x)
        mirrored, *_ = predictor(torch.flip(x, [3]))
        assert torch.allclose(straight, torch.flip(mirrored, [2]), atol=1e-4)

    def test_the_tables_defaults_are_the_builders(self, choice):
        entry = catalog.MODELS[choice.architecture]
        taken = signature(catalog.load(catalog.MODELS, choice.architecture, "architecture")).parameters
        assert ("encoder" in taken) == bool(entry.encoders)
        options = {n: p.default for n, p in taken.items() if n not in ("encoder", "in_channels", "classes")}
        assert options == {name: option.default for name, option in entry.options.items()}

    def test_the_encoder_that_pretrained_weights_go_into_is_there_where_the_table_says_so(self, choice):
        assert (choice.build().backbone() is None) == (choice.encoder is None)
