"""What only accompanies a result (captions, pictures, cost, progress) costs no run: where it fails, it is noted."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pages import written_page

from ablation import Brightness, InputError, Results, Sometimes, Strength, sweep
from ablation.augment.operation import Operation
from ablation.core.values import value
from ablation.evidence.study import Study
from ablation.experiment.record import RECORD_FILE, read_record, write_record
from ablation.report.sections.dose_response.magnitudes import dose_series
from ablation.training import finish
from ablation.training.preview import DRAWS, previews
from ablation.training.sentinel import Sentinel
from ablation.training.watch import Silent

pytestmark = pytest.mark.usefixtures("settled")


@value
class Dimmer(Brightness):
    """An operation that says nothing of itself: neither what it did to a picture, nor what half of it is."""

    describe = Operation.describe
    scaled = Operation.scaled
    neutral = {}


def fails(*given, **named):
    raise ZeroDivisionError("it fails")


@pytest.fixture
def bright(small):
    """One run, two epochs, with an operation."""
    return replace(small, name="bright", recipes={"none": (Brightness(0.4),)}, epochs=2)


@pytest.mark.parametrize("words", ["missing", "failing"])
def test_a_run_whose_operation_has_no_caption_finishes_and_is_reported(
    bright, trained, cache, tmp_path, monkeypatch, words
):
    monkeypatch.setattr(Brightness, "describe", fails if words == "failing" else Operation.describe)
    run, record, arrays = trained(bright, tmp_path / "bright")
    assert record.metrics["accuracy"] > 0.2
    assert record.evidence["captions"] == ["Brightness(brightness=0.4)"] * DRAWS
    assert record.notes == ()
    assert previews(bright, cache).previews["none"].captions == ("Brightness(brightness=0.4)",) * DRAWS
    write_record(run.folder, record, arrays)
    results = Results.load(bright, tmp_path, cache)
    page = written_page(Study(results), tmp_path / "report")
    assert "Brightness(brightness=0.4)" in page.replace("\xa0", " ")


def test_an_operation_without_words_is_trained_previewed_and_reported(bright, trained, cache, tmp_path):
    experiment = replace(bright, recipes={"none": (), "dim": (Dimmer(0.4),)}, baseline="none", epochs=1)
    alone = replace(experiment, recipes={"dim": experiment.recipes["dim"]}, baseline="dim")
    for one in (experiment, alone):
        run, record, arrays = trained(one, tmp_path / "bright")
        write_record(run.folder, record, arrays)
    assert record.metrics
    assert record.evidence["captions"] == ["Dimmer(brightness=0.4)"] * DRAWS
    assert set(previews(experiment, cache).previews["dim"].captions) == {"Dimmer(brightness=0.4)"}
    results = Results.load(experiment, tmp_path, cache)
    assert list(results.finished["recipe"]) == ["none", "dim"]
    page = written_page(Study(results), tmp_path / "report")
    assert "Dimmer(brightness=0.4)" in page.replace("\xa0", " ")


def test_an_operation_without_a_strength_has_no_dose_series(bright):
    """The report looks for dose series among all recipes."""
    recipes = {"none": (), "half": (Dimmer(0.2), Brightness(0.2)), "whole": (Dimmer(0.4), Brightness(0.4))}
    assert all("strength" not in series.magnitude for series in dose_series(replace(bright, recipes=recipes)))
    assert Strength((Dimmer(0.4),), 0.5).made == (Sometimes(Dimmer(0.4), 0.5),)
    with pytest.raises(InputError, match=r"Dimmer\(brightness=0.4\) cannot have 2 times its strength"):
        Strength((Dimmer(0.4),), 2)


ACCOMPANIMENTS = {
    "the first pictures": (finish, "preview"),
    "parameter groups": (finish, "describe_groups"),
    "what the run took": (finish, "_cost"),
    "what each operation changed": (Sentinel, "_compare"),
}


@pytest.mark.parametrize("what", ACCOMPANIMENTS)
def test_whatever_accompanies_a_run_may_fail(bright, trained, trained_once, monkeypatch, what):
    """The result is the same to the last bit, and the record says what is missing and why."""
    _, undisturbed, arrays = trained_once(bright)
    monkeypatch.setattr(*ACCOMPANIMENTS[what], fails)
    run, record, disturbed = trained(bright)
    assert (record.metrics, record.history, record.outcome) == (undisturbed.metrics, undisturbed.history, "finished")
    np.testing.assert_array_equal(disturbed.logits, arrays.logits)
    assert record.notes == (f"{what}: not known (ZeroDivisionError: it fails)",)
    write_record(run.folder, record, disturbed)
    assert read_record(run.folder) == record


def test_without_first_pictures_there_are_grey_ones_that_say_so(bright, trained, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "preview", fails)
    run, record, arrays = trained(bright, tmp_path / "bright")
    assert record.evidence["captions"] == ["could not be drawn"] * DRAWS
    assert (arrays.original.shape, arrays.draws.shape) == ((8, 8, 3), (DRAWS, 8, 8, 3))
    write_record(run.folder, record, arrays)
    results = Results.load(bright, tmp_path, cache)
    told = "The first pictures: not known (ZeroDivisionError: it fails), in 1 of 1 runs."
    assert told in Study(results).warnings
    page = written_page(Study(results), tmp_path / "report")
    assert "could not be drawn" in page.replace("\xa0", " ")


def test_changes_that_are_no_numbers_do_not_keep_the_record_from_being_written(bright, trained, monkeypatch):
    """NaN is no JSON: the run would train for its whole time, and fail when its record is written."""
    compare_pictures = Sentinel._compare

    def spoilt(self, rows, pictures, cuts):
        compare_pictures(self, rows, pictures * torch.nan, cuts)

    monkeypatch.setattr(Sentinel, "_compare", spoilt)
    run, record, arrays = trained(bright)
    write_record(run.folder, record, arrays)
    assert record.metrics
    assert record.evidence["changes"] == []
    assert "no finite number" in record.notes[0]


def test_a_listener_that_fails_does_not_end_the_training(bright, trained):
    _, record, _ = trained(bright, report=fails)
    assert len(record.history) == bright.epochs
    assert record.notes == ("progress: not known (ZeroDivisionError: it fails)",)


def test_a_note_of_the_first_epoch_survives_a_kill(bright, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(Sentinel, "_compare", fails)
    longer = replace(bright, epochs=3)

    def stop_after_two(event):
        if event["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(longer, tmp_path / "killed", report=stop_after_two)
    _, resumed, _ = trained(longer, tmp_path / "killed")
    _, whole, _ = trained(longer, tmp_path / "whole")
    assert resumed.notes == whole.notes == ("what each operation changed: not known (ZeroDivisionError: it fails)",)
    assert (resumed.metrics, resumed.evidence) == (whole.metrics, whole.evidence)


def test_notes_are_no_part_of_the_digest_and_old_records_have_none(bright, trained):
    """A reason may hold what never repeats, as an address in memory does."""
    run, record, arrays = trained(replace(bright, epochs=1))
    assert replace(record, notes=("at 0x7f00",)).digest(arrays) == record.digest(arrays)
    write_record(run.folder, record, arrays)
    content = json.loads((run.folder / RECORD_FILE).read_text())
    assert content.pop("notes") == []
    (run.folder / RECORD_FILE).write_text(json.dumps(content))
    assert read_record(run.folder) == record


class Broken(Silent):
    """Progress that fails at each of its calls."""

    caching = planned = event = fails


def test_progress_that_fails_does_not_end_a_sweep(inside, bright, cache, tmp_path):
    with pytest.warns(UserWarning, match="how the sweep goes: not known") as caught:
        runs = sweep(replace(bright, seeds=2, epochs=1), tmp_path, cache, jobs=1, device="cpu", watch=Broken())
    assert [run.status() for run in runs] == ["finished"] * 2
    assert len(caught) == 1
