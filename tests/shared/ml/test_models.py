"""One suite over every architecture of the table, and every encoder that it lists."""

import pytest
import torch

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.ml.checkpoint import build_network
from shared.ml.models.attention_unet import AttentionGate
from tests.shared.ml.architectures import ArchitectureSuite, Choice

# Small, so that the suite is fast; what is not named is built as it is by default.
SMALL = {
    "plain_unet": {"width": 8},
    "group_norm_unet": {"width": 8, "groups": 4},
    "attention_unet": {"width": 8},
    "transunet": {"layers": 2, "heads": 2, "width": 16},
}


def small(architecture: str, encoder: str | None = "mobilenet_v2") -> Choice:
    has_choice = catalog.MODELS[architecture].encoders
    return Choice(architecture, encoder if has_choice else None, SMALL.get(architecture, {}))


class TestArchitectures(ArchitectureSuite):
    @pytest.fixture(params=sorted(catalog.MODELS))
    def choice(self, request):
        return small(request.param)


class TestUnetOverEveryEncoder:
    @pytest.mark.parametrize("encoder", catalog.ENCODERS)
    @torch.inference_mode()
    def test_it_runs_with_four_channels(self, encoder):
        logits, features = (
            small("unet", encoder).build(4).eval().logits_and_features(torch.randn(1, 4, 64, 64))
        )
        assert logits.shape == (1, 1, 64, 64) and logits.isfinite().all() and features.isfinite().all()


PAIRS = [(a, e) for a, entry in sorted(catalog.MODELS.items()) for e in entry.encoders]


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_every_encoder_of_every_architecture_learns(architecture, encoder):
    ArchitectureSuite().test_a_training_step_reaches_every_parameter(small(architecture, encoder), 4, 3)


def test_encoders_of_architectures_are_of_the_table_and_each_is_of_some_use():
    listed = {encoder for entry in catalog.MODELS.values() for encoder in entry.encoders}
    assert listed == catalog.ENCODERS.keys()


@pytest.mark.parametrize("architecture", ["plain_unet", "group_norm_unet"])
def test_the_classic_unet_has_its_17_2_million_parameters(architecture):
    parameters = sum(p.numel() for p in build_network(architecture, None, 3, 1).parameters())
    assert parameters == pytest.approx(17.2e6, rel=0.01)


def test_group_normalisation_stands_where_it_is_asked_for():
    kinds = {type(m).__name__ for m in small("group_norm_unet").build().modules()}
    assert "GroupNorm" in kinds and "BatchNorm2d" not in kinds


def test_a_width_that_the_groups_do_not_divide_has_fewer_groups():
    network = build_network("group_norm_unet", None, 3, 1, {"width": 12, "groups": 32})
    assert [m.num_groups for m in network.modules() if isinstance(m, torch.nn.GroupNorm)][:3] == [4, 4, 8]


def test_options_from_json_may_be_floats():
    network = build_network("plain_unet", None, 3, 1, {"width": 16.0})
    assert network.head.in_channels == 16


@pytest.mark.parametrize(
    ("architecture", "encoder", "options", "place"),
    [
        ("resnet", "mobilenet_v2", {}, "architecture"),
        ("unet", "resnet", {}, "encoder"),
        ("unet", None, {}, "encoder"),
        ("unet_plus_plus", "mit_b0", {}, "encoder"),
        ("deeplabv3_plus", "vgg16", {}, "encoder"),
        ("plain_unet", "resnet18", {}, "encoder"),
        ("plain_unet", None, {"width": 16.5}, "architecture_options.width"),
        ("plain_unet", None, {"width": 4096}, "architecture_options.width"),
        ("plain_unet", None, {"depth": 3}, "architecture_options.depth"),
    ],
)
def test_what_cannot_be_built_is_named(architecture, encoder, options, place):
    with pytest.raises(InvalidFields) as raised:
        build_network(architecture, encoder, 3, 1, options)
    assert raised.value.errors.keys() == {place}


class TestAttentionGate:
    @pytest.fixture
    def gate(self):
        torch.manual_seed(0)
        return AttentionGate(4, 4, 2).eval()

    @torch.inference_mode()
    def test_a_closed_gate_lets_nothing_through_and_an_open_one_everything(self, gate):
        fine, coarse = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)
        gate.psi.bias.fill_(-100)
        closed = gate(fine, coarse)
        assert torch.allclose(closed, gate.out(torch.zeros_like(fine)), atol=1e-6)
        gate.psi.bias.fill_(100)
        assert torch.allclose(gate(fine, coarse), gate.out(fine), atol=1e-6)
        assert not torch.allclose(gate(fine, coarse), closed, atol=1e-3)

    @torch.inference_mode()
    def test_the_coarse_map_decides_by_place(self, gate):
        fine, coarse = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)
        changed = coarse.clone()
        changed[..., 0, 0] += 5
        difference = (gate.weight(fine, changed) - gate.weight(fine, coarse)).abs()
        assert difference[..., 0, 0].item() > 1e-4 and not difference[..., 4:, 4:].any()

    def test_all_skips_but_the_finest_are_gated(self):
        network = small("attention_unet").build(1)
        maps = network.encode(torch.randn(2, 1, 32, 32))
        coarse = [torch.zeros_like(m[..., ::2, ::2]) for m in maps[:4]]
        passed = [network.skip(i, maps[i], coarse[i]) is maps[i] for i in range(4)]
        assert passed == [True, False, False, False]


class TestTransformer:
    @torch.inference_mode()
    def test_a_change_at_one_end_reaches_the_token_at_the_other(self):
        """The decoder's convolutions and those before it reach only a few places; attention reaches all."""
        transformer = small("transunet").build().eval().transformer
        x = torch.randn(1, 1280, 12, 12)
        changed = x.clone()
        changed[..., 0, 0] += 1
        difference = (transformer(changed) - transformer(x)).abs().amax(dim=1)[0]
        assert difference[11, 11] > 1e-6
        assert difference[0, 0] > difference[11, 11]

    @torch.inference_mode()
    def test_places_are_told_apart_by_their_position_alone(self):
        transformer = small("transunet").build().eval().transformer
        tokens = transformer(torch.ones(1, 1280, 4, 4))[0]
        assert (tokens[:, 0, 0] - tokens[:, 3, 2]).abs().max() > 1e-3

    def test_twelve_layers_of_twelve_heads_are_the_papers_vit(self):
        network = build_network("transunet", "resnet18", 3, 1, {"layers": 12, "heads": 12, "width": 64})
        layers = sum(p.numel() for p in network.transformer.layers.parameters())
        assert layers == 12 * (12 * 768**2 + 13 * 768)  # ViT-B without embedding and classifier
