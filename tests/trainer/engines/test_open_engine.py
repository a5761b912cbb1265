"""Every engine of this machine gives the answers of torch in fp32."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from shared import catalog
from shared.contract.config import ConfigError
from shared.contract.errors import ModelUnusable
from shared.ml.checkpoint import build_network
from shared.ml.predict import Predictor, Strangeness
from tests.fakes.inference import SIZE, FakeSource, TinyNetwork
from trainer.engines.open_engine import open_engine, resolve_device
from trainer.engines.openvino_engine import OpenVinoEngine
from trainer.engines.torch_engine import TorchCpuEngine, TorchCudaEngine

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
ENGINES = [
    pytest.param(TorchCpuEngine, id="torch"),
    pytest.param(OpenVinoEngine, id="openvino"),
    pytest.param(
        lambda source: TorchCudaEngine(source, "cuda:0"), id="cuda", marks=[needs_cuda, pytest.mark.gpu]
    ),
]


def slices(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3, SIZE, SIZE)).astype(np.float32)


@pytest.fixture
def source():
    return FakeSource()


def truth(source, x_BCHW):
    with torch.inference_mode():
        probability, strangeness = source.predictor()(torch.from_numpy(x_BCHW))
    return probability.numpy(), strangeness.numpy()


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param(FakeSource())


@pytest.mark.parametrize("count", [1, 2, 3, 7, 33])
def test_any_batch_gives_the_answers_of_torch(engine, source, count):
    x = slices(count)
    probability, strangeness, _ = engine.predict(x)
    expected_probability, expected_strangeness = truth(source, x)
    assert probability.shape == (count, SIZE, SIZE)
    assert probability.dtype == strangeness.dtype == np.float32
    # bf16 and fp16 keep 8 and 11 bits of each number.
    assert np.abs(probability - expected_probability).max() < 0.03
    assert np.abs(strangeness - expected_strangeness).max() < 0.05


def test_answers_stay_when_the_next_ones_come(engine):
    first = engine.predict(slices(1))
    kept = first.probability_BHW.copy()
    engine.predict(slices(1, seed=1))
    assert np.array_equal(first.probability_BHW, kept)


def test_several_threads_may_ask_at_once(engine, source):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda seed: engine.predict(slices(1, seed)).probability_BHW, range(12)))
    for seed, answer in enumerate(answers):
        assert np.abs(answer - truth(source, slices(1, seed))[0]).max() < 0.03


@pytest.mark.parametrize("make", ENGINES)
def test_a_network_that_overflows_is_an_error_and_not_a_mask(make):
    class Overflowing(TinyNetwork):
        def forward(self, x_BCHW):
            probability, strangeness = super().forward(x_BCHW)
            return probability / (
                x_BCHW[:, 0] - x_BCHW[:, 0] + torch.relu(1 - x_BCHW[:, 0].abs())
            ), strangeness

    engine = make(FakeSource(Overflowing()))
    with pytest.raises(ArithmeticError, match="not finite"):
        engine.predict(np.full((1, 3, SIZE, SIZE), 2, np.float32))


def test_the_converted_network_is_kept_for_the_next_start(tmp_path, source):
    first = open_engine(source, "cpu", "openvino", tmp_path)
    again = FakeSource()
    second = open_engine(again, "cpu", "openvino", tmp_path)
    assert (source.loads, again.loads) == (1, 0)
    x = slices(2)
    assert np.array_equal(first.predict(x).probability_BHW, second.predict(x).probability_BHW)


def test_another_model_is_converted_anew(tmp_path, source):
    open_engine(source, "cpu", "openvino", tmp_path)
    other = FakeSource(TinyNetwork(seed=1), fingerprint="g")
    open_engine(other, "cpu", "openvino", tmp_path)
    assert other.loads == 1


def test_a_damaged_conversion_is_made_again(tmp_path, source):
    open_engine(source, "cpu", "openvino", tmp_path)
    for file in (tmp_path / "openvino").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    again = FakeSource()
    open_engine(again, "cpu", "openvino", tmp_path)
    assert again.loads == 1


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, source):
    (tmp_path / "openvino").write_text("a file where the folder should be")
    assert open_engine(source, "cpu", "openvino", tmp_path).predict(slices(1)).probability_BHW.shape[0] == 1


class Unconvertible(TinyNetwork):
    """What OpenVINO's converter refuses and torch runs."""

    def forward(self, x_BCHW):
        probability, strangeness = super().forward(x_BCHW)
        return probability, torch.linalg.eigvals(strangeness[:, :1, None] * torch.ones(1, 4, 4)).real


def test_a_network_that_openvino_cannot_run_runs_in_torch():
    engine = open_engine(FakeSource(Unconvertible()), "cpu", "auto")
    assert engine.name == "torch-fp32"


def test_openvino_asked_for_by_name_is_not_replaced():
    with pytest.raises(ModelUnusable, match="OpenVINO cannot run the model tiny"):
        open_engine(FakeSource(Unconvertible()), "cpu", "openvino")


def test_torch_asked_for_by_name_is_taken(source):
    assert open_engine(source, "cpu", "torch").name == "torch-fp32"


def test_a_model_that_is_not_its_cards_is_refused():
    with pytest.raises(ModelUnusable, match="differs"):
        open_engine(FakeSource(fault="SHA-256 differs"), "cpu")


def test_the_cpu_is_taken_where_it_is_asked_for():
    assert resolve_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_asked_for_and_missing_is_a_sentence():
    with pytest.raises(ConfigError, match="DEVICE is 'cuda:1', and torch finds no usable CUDA device here"):
        resolve_device("cuda:1")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_auto_without_cuda_is_the_cpu():
    assert resolve_device("auto") == "cpu"


def test_openvino_and_cuda_together_are_refused(source):
    with pytest.raises(ConfigError, match="DEVICE=cpu"):
        open_engine(source, "cuda:0", "openvino")


NETWORKS = [
    *(("unet", encoder, 1) for encoder in catalog.ENCODERS),
    *(
        (name, next(iter(entry.encoders), None), 1)
        for name, entry in catalog.MODELS.items()
        if name != "unet"
    ),
    *((name, next(iter(entry.encoders), None), 3) for name, entry in catalog.MODELS.items()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "encoder", "classes"), NETWORKS)
def test_every_architecture_and_encoder_of_the_tables_runs_in_openvino(architecture, encoder, classes):
    """The same answer but for bfloat16, whose error a network without training may carry to a single pixel."""
    torch.manual_seed(0)
    network = build_network(architecture, encoder, in_channels=3, classes=classes).eval()
    features = network.logits_and_features(torch.zeros(1, 3, 64, 64))[1].shape[1]
    strangeness = Strangeness(torch.zeros(features), torch.eye(features, 8), torch.ones(8))
    source = FakeSource(Predictor(network, ("horizontal",), 1.0, 0.0, strangeness), size=64)
    engine = OpenVinoEngine(source)
    x = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        probability, strangeness, *labels = (
            tensor.numpy() for tensor in source.predictor()(torch.from_numpy(x))
        )
    answer = engine.predict(x)
    for found, expected in ((answer[0], probability), (answer[1], strangeness)):
        assert np.abs(found - expected).mean() < 0.02 * max(1.0, np.abs(expected).max())
    assert len(labels) == (classes > 1)
    for expected in labels:
        assert (answer[2] == expected).mean() > 0.97


def test_nothing_is_reported_to_anybody(source):
    OpenVinoEngine(source)
    assert sys.modules["openvino_telemetry"] is None
    assert sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__.endswith("telemetry_stub")


def test_a_slice_with_flips_is_a_batch_by_itself_on_the_cpu(source):
    assert OpenVinoEngine(source).max_batch == 2
    source.views = 4
    assert OpenVinoEngine(source).max_batch == 1
