"""What a run keeps of its trained network: the same answers as a plain pass gives, for every run alike, and never the
run's ruin."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ablation import SGD, Brightness, GaussianNoise, RandomResizedCrop, Results, TorchvisionTransform, sweep
from ablation.core.kept import Kept
from ablation.data import build, listing
from ablation.experiment.record import (
    compact,
    read_attention,
    read_corrupted,
    read_digest,
    read_part,
    read_record,
    write_record,
)
from ablation.experiment.robustness import conditions_of
from ablation.training import finish, gradcam
from ablation.training import looks as looking
from ablation.training.setup import network
from ablation.training.view import View

pytestmark = pytest.mark.usefixtures("settled")

CORRUPT = {"bright": (Brightness(0.6),), "cropped": (RandomResizedCrop(scale=(0.4, 1.0)),)}
LOOKED = [
    "train_sample", "train_label", "train_logits", "val_sample", "val_label", "val_logits",
    "corrupted_sample", "corrupted_label", "corrupted_logits", "attention_sample", "attention_maps",
]  # fmt: skip


def fails(*given, **named):
    raise ZeroDivisionError("it fails")


@pytest.fixture
def asked(small):
    """One run of two epochs with six test conditions, whatever they cost."""
    return replace(small, name="asked", epochs=2, corrupt=CORRUPT, robustness=True)


@pytest.fixture
def looked(trained):
    """A function that trains as a worker does: (run, record, arrays)."""

    def run(experiment, folder=None, **kwargs):
        conditions = conditions_of(experiment, experiment.image_size)
        return trained(experiment, folder, conditions=conditions, always=bool(experiment.robustness), **kwargs)

    return run


def answers(run, view: View, rows: np.ndarray) -> np.ndarray:
    """A plain pass of the kept network, an image at a time."""
    model = network(run.spec, 10)
    model.load_state_dict(torch.load(run.weights, weights_only=True))
    model.eval()
    with torch.no_grad():
        return np.concatenate(
            [model(view.normalized(view.pictures(rows[i : i + 1]))).numpy() for i in range(len(rows))]
        )


def test_every_part_is_what_a_plain_pass_answers(asked, looked, cache):
    run, record, arrays = looked(asked, keep_weights=True)
    data = build(listing(asked.data, cache), run.spec.cache_size, cache)
    parts = run.spec.parts(data)
    mean, std = (np.array(record.evidence[name]) for name in ("mean", "std"))
    clean = View.clean(data, torch.device("cpu"), 8, mean, std)
    write_record(run.folder, record, arrays)
    for name, rows in (("train", np.sort(parts.train)), ("val", parts.val), ("test", parts.test)):
        part = read_part(run.folder, name)
        np.testing.assert_array_equal(part.sample, rows)
        np.testing.assert_array_equal(part.label, data.labels[rows])
        plain = answers(run, clean, rows)
        kept = plain if name == "test" else compact(plain)
        np.testing.assert_allclose(part.logits, kept, atol=2e-3)
        assert (part.logits.argmax(1) == plain.argmax(1)).mean() > 0.99
    assert record.history[-1]["val_accuracy"] == pytest.approx((arrays.val_logits.argmax(1) == arrays.val_label).mean())
    corrupted = read_corrupted(run.folder)
    assert [name for name, _ in corrupted.conditions] == ["bright"] * 3 + ["cropped"] * 3
    np.testing.assert_array_equal(corrupted.sample, parts.test)
    for condition, logits in zip(conditions_of(asked, 8), corrupted.logits, strict=True):
        seen = clean.augmented(condition.recipe, 0, 0, data.aspect, corrupted.sample)
        np.testing.assert_allclose(logits, compact(answers(run, seen, corrupted.sample)), atol=0.1)  # 8-bit pictures
    unchanged = read_part(run.folder, "test").logits
    assert not np.allclose(corrupted.logits[2], compact(unchanged), atol=0.1), "under a condition it answers otherwise"
    attention = read_attention(run.folder)
    assert len(attention.sample) == looking.MOST_MAPS
    assert (attention.maps.max(axis=(1, 2)) == 255).mean() > 0.9
    assert record.notes == ()
    assert record.cost["evaluation_seconds"] > 0


def test_killed_and_resumed_it_leaves_the_same_arrays(asked, looked, tmp_path):
    _, record, arrays = looked(asked)

    def stop(event):
        if event["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        looked(asked, tmp_path / "killed", report=stop)
    _, resumed, again = looked(asked, tmp_path / "killed")
    for name in LOOKED:
        assert getattr(arrays, name).tobytes() == getattr(again, name).tobytes(), name
    assert resumed.digest(again) == record.digest(arrays)


def test_it_changes_nothing_of_the_run(asked, looked, trained):
    """Not a bit of what is trained and tested depends on what is looked at afterwards."""
    (_, record, arrays), (_, plain, bare) = looked(asked), trained(asked)
    assert (record.history, record.metrics) == (plain.history, plain.metrics)
    for name in ("sample", "label", "logits", "features", "original", "draws"):
        assert getattr(arrays, name).tobytes() == getattr(bare, name).tobytes()
    assert bare.corrupted_logits is None
    assert plain.evidence["conditions"] == []


@pytest.mark.parametrize("room", [0, 10**9], ids=["made anew", "kept"])
def test_two_runs_are_tested_on_the_same_pictures(asked, inside, cache, tmp_path, monkeypatch, room):
    monkeypatch.setattr(looking, "KEPT", Kept(room))
    pictures, picked, made, under = [], looking._picked, [], looking._under

    def counted(*arguments):
        made.append(arguments)
        return under(*arguments)

    monkeypatch.setattr(looking, "_under", counted)

    def watched(held, rows):
        pictures.append(held.numpy().copy())
        return picked(held, rows)

    monkeypatch.setattr(looking, "_picked", watched)
    corrupt = CORRUPT | {"noise": (GaussianNoise(sigma=0.2),)}
    sweep(replace(asked, seeds=2, corrupt=corrupt, epochs=1), tmp_path, cache, jobs=1, device="cpu")
    half = len(pictures) // 2
    assert half >= 9
    for one, other in zip(pictures[:half], pictures[half:], strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(made) == (half if room else 2 * half)


def test_torchvisions_own_transforms_are_conditions_too(asked, looked):
    """Their arguments are a dict, which no cache can look up."""
    corrupt = {"elastic": (TorchvisionTransform("ElasticTransform", {"alpha": 20.0, "sigma": 1.0}),)}
    _, record, arrays = looked(replace(asked, corrupt=corrupt, epochs=1))
    assert record.notes == ()
    assert len(arrays.corrupted_logits) == 3


LOOKS = {
    "robustness": ("_corrupted", "corrupted_"),
    "the training and validation parts": ("_parts", "train_"),
    "where the network looks": ("_attention", "attention_"),
}


@pytest.mark.parametrize("what", LOOKS)
def test_a_look_that_fails_costs_no_run_and_leaves_a_note(asked, looked, monkeypatch, what):
    name, prefix = LOOKS[what]
    monkeypatch.setattr(looking, name, fails)
    run, record, arrays = looked(asked)
    assert record.outcome == "finished"
    assert record.metrics["accuracy"] > 0.1
    assert record.notes == (f"{what}: not known (ZeroDivisionError: it fails)",)
    missing = {name for name in LOOKED if getattr(arrays, name) is None}
    also = {"val_sample", "val_label", "val_logits"} if prefix == "train_" else set()
    assert missing == {name for name in LOOKED if name.startswith(prefix)} | also
    write_record(run.folder, record, arrays)
    assert read_record(run.folder) == record
    assert (read_corrupted(run.folder) is None) == (prefix == "corrupted_")
    assert (len(record.evidence["conditions"]) == 0) == (prefix == "corrupted_")


@pytest.mark.parametrize("what", ["grad_cam", "last_map", "GradCam"])
def test_where_the_network_looks_may_fail_while_it_is_tested(asked, looked, monkeypatch, what):
    """It answers the test part as it does without."""
    _, expected, plain = looked(asked)
    monkeypatch.setattr(looking if what == "GradCam" else gradcam, what, fails)
    _, record, arrays = looked(asked)
    assert record.notes == ("where the network looks: not known (ZeroDivisionError: it fails)",)
    assert record.metrics == expected.metrics
    assert arrays.logits.tobytes() == plain.logits.tobytes()
    assert arrays.attention_maps is None


def test_answers_that_are_no_numbers_are_not_kept(asked, looked, monkeypatch):
    predict = looking.predict

    def infinite(*given):
        logits, features = predict(*given)
        return logits * np.inf, features

    monkeypatch.setattr(looking, "predict", infinite)
    _, record, arrays = looked(asked)
    assert record.metrics
    assert arrays.train_logits is arrays.corrupted_logits is None
    assert len(record.notes) == 2
    assert all("no finite number" in note for note in record.notes)


def test_a_run_that_diverged_has_none_of_it(asked, looked):
    run, record, arrays = looked(replace(asked, optimizers={"sgd": SGD(lr=1e30)}))
    assert record.outcome == "diverged"
    assert all(getattr(arrays, name) is None for name in LOOKED)
    assert record.evidence["conditions"] == []
    write_record(run.folder, record, arrays)
    assert read_corrupted(run.folder) is read_part(run.folder, "train") is None


def test_where_there_is_no_room_the_training_part_is_kept_in_part(asked, looked, monkeypatch):
    """Of 100 images, 30: 10 classes of 2 bytes each; every class in its share."""
    _, _, whole = looked(asked)
    assert len(whole.train_sample) == 100
    monkeypatch.setattr(looking, "MOST_BYTES", 10)
    monkeypatch.setattr(looking, "FEWEST_BYTES", 30 * 10 * 2)
    _, record, arrays = looked(asked)
    assert len(arrays.train_sample) == len(arrays.train_logits) == 30
    assert set(arrays.train_sample) < set(whole.train_sample)
    counts, every = np.bincount(arrays.train_label, minlength=10), np.bincount(whole.train_label, minlength=10)
    assert np.abs(counts - 0.3 * every).max() <= 1
    for name in ("val_logits", "corrupted_logits"):
        assert getattr(arrays, name).tobytes() == getattr(whole, name).tobytes(), "the others are kept whole"
    others = 10 * (4 * 202 + 2 * len(whole.val_sample) + 2 * 6 * 202)
    monkeypatch.setattr(looking, "MOST_BYTES", others + 45 * 20)
    monkeypatch.setattr(looking, "FEWEST_BYTES", 0)
    assert len(looked(asked)[2].train_sample) == 45, "what the others leave"
    assert record.notes == ()


def test_many_test_images_are_shown_each_class_in_its_share(asked, looked, monkeypatch):
    monkeypatch.setattr(looking, "MOST_IMAGES", 50)
    monkeypatch.setattr(looking, "MOST_MAPS", 20)
    _, _, arrays = looked(asked)
    assert arrays.corrupted_logits.shape == (6, 50, 10)
    assert set(arrays.corrupted_sample) < set(arrays.sample)
    assert len(arrays.attention_sample) == 20
    tested = np.bincount(arrays.label, minlength=10) * 50 / len(arrays.label)
    assert np.abs(np.bincount(arrays.corrupted_label, minlength=10) - tested).max() <= 1


def test_conditions_that_cost_too_much_are_left_out_unless_they_are_asked_for(asked, looked, monkeypatch):
    """6 conditions of 202 images; an epoch is 100 trained, 3 each, and 100 validated: 1.5 times the work of two."""
    unsaid = replace(asked, robustness=None)
    assert looked(unsaid)[2].corrupted_logits is None
    assert looked(asked)[2].corrupted_logits is not None
    share = 6 * 202 / (2 * (3 * 100 + len(looked(asked)[2].val_sample)))
    monkeypatch.setattr(looking, "MOST_SHARE", share)
    assert looked(unsaid)[2].corrupted_logits is not None
    monkeypatch.setattr(looking, "MOST_SHARE", share * 0.999)
    _, record, arrays = looked(unsaid)
    assert arrays.corrupted_logits is None
    assert (record.notes, record.evidence["conditions"]) == ((), [])
    assert looked(replace(asked, robustness=False))[2].corrupted_logits is None


def test_a_sweep_leaves_it_all_behind_and_results_read_it(asked, cache, tmp_path):
    """Through the worker process and its pipe."""
    experiment = replace(asked, seeds=2, epochs=1)
    runs = sweep(experiment, tmp_path, cache, jobs=1, device="cpu")
    results = Results.load(experiment, tmp_path, cache)
    for run in runs:
        assert run.record().notes == ()
        own = run.spec.id
        assert results.part(own, "train").logits.shape == (100, 10)
        assert results.part(own, "val") is not None
        assert results.part(own, "test").logits.shape == results.test_predictions(own).logits.shape == (202, 10)
        assert results.corrupted(own).logits.shape == (6, 202, 10)
        assert results.attention(own).maps.ndim == 3
        assert results.features(own)[2].shape == (202, 128)
        assert run.record().digest(results.arrays(own)) == read_digest(run.folder)
    one, other = (results.corrupted(run.spec.id) for run in runs)
    np.testing.assert_array_equal(one.sample, other.sample)


def test_memory_is_that_of_training(asked, looked, monkeypatch):
    """What the looks take is not what a recipe costs: it is read before them."""
    order = []
    cost, look = finish._cost, finish.looks
    monkeypatch.setattr(finish, "_cost", lambda *given: order.append("cost") or cost(*given))
    monkeypatch.setattr(finish, "looks", lambda *given: order.append("looks") or look(*given))
    looked(asked)
    assert order == ["cost", "looks"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", ["shallow_cnn", "resnet18", "vgg11"])
def test_on_cuda_it_repeats_its_bits_and_the_conditions_are_those_of_a_processor(model, asked, cache, tmp_path):
    experiment = replace(asked, model=model, image_size=32, cache_size=32)
    (one,), (two,) = (sweep(experiment, tmp_path / name, cache, device="cuda") for name in ("one", "two"))
    assert one.status() == two.status() == "finished", (one.failure(), two.failure())
    assert one.record().notes == ()
    assert read_digest(one.folder) == read_digest(two.folder)
    assert read_attention(one.folder).maps.max() == 255
    assert read_corrupted(one.folder).logits.shape == (6, 202, 10)
