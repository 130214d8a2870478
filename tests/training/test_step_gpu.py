"""What only a GPU shows: a run whose steps are replayed as a CUDA graph has the bits of one that is stepped eagerly."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablation import SAM, SGD, Adam, AdamW, Execution, Lookahead, MixUp, RandomResizedCrop, sweep
from ablation.experiment.record import read_digest
from ablation.models.networks import make_deterministic
from ablation.training import loop, step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

CROP = {"recipes": {"none": (RandomResizedCrop(),)}}
CHOICES = {
    "dropout": {"dropout": 0.5},
    "mixed targets": {"recipes": {"none": (MixUp(),)}, "label_smoothing": 0.1},
    "stochastic depth": {"model": "resnet18", "stem": "small", "stochastic_depth": 0.5, "dropout": 0.2},
    "transformer": {"model": "vit_b_16", "image_size": 32, "dropout": 0.3, "optimizers": {"a": AdamW()}},
    "pooling by products": {"model": "lenet"},
    "ascent": {"optimizers": {"o": SAM(SGD(lr=0.05, momentum=0.9))}, "dropout": 0.2},
    "slow weights": {"optimizers": {"o": Lookahead(Adam())}},
    "average and clipping": {"ema": 0.9, "clip_norm": 0.5},
    "frozen": {"model": "resnet18", "image_size": 32, "freeze": 3},
}


@pytest.fixture(autouse=True)
def deterministic(monkeypatch):
    monkeypatch.setattr(step, "_KEPT", {})
    make_deterministic(torch.device("cuda"))
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_a_graph_has_the_bits_of_the_eager_steps(choice, small, trained):
    """The last of the batches of 32 among 100 images is smaller: an eager one between replays."""
    experiment = replace(small, **({"image_size": 16} | CROP | choice))
    results = [trained(experiment, device="cuda", execution=Execution(how)) for how in ("eager", "graph")]
    (_, eager, arrays), (_, graph, others) = results
    assert graph.notes == eager.notes == ()
    assert [len(passes.recorded) for passes in step._KEPT.values()] == [1]
    assert eager.digest(arrays) == graph.digest(others)
    assert eager.environment == graph.environment


def test_the_next_run_takes_the_same_graph(small, trained):
    both = [replace(small, dropout=0.5, seeds=(seed,)) for seed in (0, 1)]
    graphs = [trained(one, device="cuda") for one in both]
    (passes,) = step._KEPT.values()
    assert len(passes.recorded) == 1
    eager = [trained(one, device="cuda", execution=Execution("eager")) for one in both]
    digests = [[record.digest(arrays) for _, record, arrays in some] for some in (graphs, eager)]
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[0][1]


def test_a_run_that_was_stopped_ends_with_the_same_bits(small, trained, tmp_path):
    experiment = replace(small, dropout=0.5, ema=0.9)

    def stop(event):
        if event["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(experiment, tmp_path / "one", device="cuda", report=stop)
    step._KEPT.clear()  # as in another process
    (_, record, arrays) = trained(experiment, tmp_path / "one", device="cuda")
    (_, whole, others) = trained(experiment, device="cuda", execution=Execution("eager"))
    assert record.digest(arrays) == whole.digest(others)


def test_batches_on_a_second_stream_are_the_same(small, trained, monkeypatch):
    experiment = replace(small, **CROP)
    (_, record, arrays) = trained(experiment, device="cuda")
    monkeypatch.setattr(loop, "ahead", lambda batches, device: batches)
    (_, other, others) = trained(experiment, device="cuda")
    assert record.digest(arrays) == other.digest(others)


def test_memory_that_is_not_filled_gives_the_same_bits(small, trained):
    experiment = replace(small, model="resnet18", image_size=32, dropout=0.2, **CROP)
    digests = []
    for filled in (True, False):
        torch.utils.deterministic.fill_uninitialized_memory = filled
        _, record, arrays = trained(experiment, device="cuda", execution=Execution("eager"))
        digests.append(record.digest(arrays))
    assert digests[0] == digests[1]


HOST = """
from torch import nn
class Asking(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.ReLU(), nn.Dropout(0.5))
        self.body(__import__("torch").zeros(1, 3, 8, 8))
        self.head = nn.Linear(16, classes)
    def forward(self, images):
        hidden = self.body(images)
        return self.head(hidden if float(hidden.detach().sum()) > -1 else -hidden)
"""


def test_a_network_that_asks_the_host_runs_eagerly_and_says_so(small, trained, tmp_path, monkeypatch):
    """And dropout still draws as it did: the generator has got over the recording that failed."""
    (tmp_path / "asking.py").write_text(HOST)
    monkeypatch.syspath_prepend(tmp_path)
    experiment = replace(small, model="asking:Asking")
    (_, usual, arrays) = trained(experiment, device="cuda")
    assert usual.notes == (), "a network of one's own is recorded only where that is asked for"
    (_, record, others) = trained(experiment, device="cuda", execution=Execution("graph"))
    assert len(record.notes) == 1
    assert record.notes[0].startswith("the steps ran eagerly: they cannot be recorded as a graph")
    assert replace(record, notes=()).digest(others) == usual.digest(arrays)
    (_, after, more) = trained(replace(small, dropout=0.5), device="cuda")
    (_, eager, expected) = trained(replace(small, dropout=0.5), device="cuda", execution=Execution("eager"))
    assert (after.notes, after.digest(more)) == ((), eager.digest(expected))


def test_compiled_runs_repeat_and_share_their_kernels(small, cache, tmp_path):
    experiment = replace(small, seeds=(0, 1), **CROP)
    compiled = [
        sweep(experiment, tmp_path / name, cache, device="cuda", execution=Execution("compile"))
        for name in ("one", "two")
    ]
    assert {run.status() for runs in compiled for run in runs} == {"finished"}
    for first, second in zip(*compiled, strict=True):
        assert first.record().environment["step"] == "compile"
        assert read_digest(first.folder) == read_digest(second.folder)
    assert any(Path(cache / "compiled").rglob("*"))


def test_several_workers_on_one_gpu_change_nothing(small, cache, tmp_path):
    experiment = replace(small, seeds=(0, 1), dropout=0.2)
    ends = []
    for each in (1, 2, "auto"):
        runs = sweep(experiment, tmp_path / str(each), cache, device="cuda", execution=Execution(per_device=each))
        assert {run.status() for run in runs} == {"finished"}
        ends.append([read_digest(run.folder) for run in runs])
    assert ends[0] == ends[1] == ends[2]
