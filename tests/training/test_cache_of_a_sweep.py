"""A sweep beside a cache that is not as it was written: it is built again before the first run, with a line."""

from dataclasses import replace

import numpy as np
import pytest
from faults import record_fault

from ablation import sweep
from ablation.data import build, listing
from ablation.experiment.record import read_digest
from ablation.training import crew
from ablation.training.retrain import retrain
from ablation.training.watch import Silent

pytestmark = pytest.mark.usefixtures("inside")


class Listening(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def test_a_sweep_beside_zeroed_pixels_trains_the_same_bits(small, cache, tmp_path):
    short, watch = replace(small, epochs=1), Listening()
    [calm] = sweep(short, tmp_path / "calm", cache, jobs=1, device="cpu", watch=watch)
    assert watch.notes == []
    listed = listing(short.data, tmp_path)
    build(listed, 8, tmp_path)
    path = tmp_path / f"{listed.digest}-8" / "images.npy"
    images = np.load(path, mmap_mode="r+")
    images[700:] = 0
    images.flush()
    [run] = sweep(short, tmp_path / "runs", tmp_path, jobs=1, device="cpu", watch=watch)
    assert read_digest(run.folder) == read_digest(calm.folder)
    [note] = watch.notes
    assert "was built again from the photographs: the pixels of 1,097 of 1,797 photographs, digits/" in note
    record_fault(
        "believed",
        "a sweep beside a cache whose pixels are zeroed",
        1,
        "the same bits, and a line",
        note.partition("photographs: ")[2],
    )


def test_a_sweep_with_nothing_to_train_reads_no_pixel(small, tmp_path):
    """What it costs to look at them is paid by who trains."""
    short, watch = replace(small, epochs=1), Listening()
    sweep(short, tmp_path / "runs", tmp_path, jobs=1, device="cpu")
    [path] = tmp_path.glob("*-8/images.npy")
    before = path.read_bytes()
    path.write_bytes(before[:-1000] + bytes(1000))
    sweep(short, tmp_path / "runs", tmp_path, jobs=1, device="cpu", watch=watch)
    assert watch.notes == ["the run is finished: nothing to train"]
    assert path.read_bytes() != before


def test_a_run_that_is_trained_again_beside_zeroed_pixels_has_the_same_bits(small, tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.training.retrain.Worker", crew.Worker)  # the one in this process
    short, notes = replace(small, epochs=1), []
    [run] = sweep(short, tmp_path / "runs", tmp_path, jobs=1, device="cpu")
    [path] = tmp_path.glob("*-8/images.npy")
    path.write_bytes(path.read_bytes()[:-1000] + bytes(1000))

    def event(what):
        if what["event"] == "note":
            notes.append(what["message"])

    assert retrain(run, short, listing(short.data, tmp_path), tmp_path, "cpu", event) == ()
    assert len(notes) == 1
    assert "was built again from the photographs: the pixels of 6 of 1,797 photographs" in notes[0]
