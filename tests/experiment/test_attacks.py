"""Whatever is done to a finished run by hand: it is named, left out of every mean and test, and nothing else stops.

Of a run that is sealed and of one that an older version left, which has its record's digest alone.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import forged
import numpy as np
import pytest
from faults import record_fault

from ablation import Results, sweep
from ablation.core.errors import DataError
from ablation.core.files import Journal
from ablation.evidence.study import Study
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, read_digest
from ablation.experiment.seal import JOURNAL_FILE, read_seal

OTHER = 0
"""Row of the run whose files are put in another's place, and of that other one."""
ATTACKED = 4


class Project:
    """A copy of the finished experiment's runs, to be spoiled."""

    def __init__(self, finished, folder: Path):
        self.experiment, self.cache = finished.experiment, finished.folder / "cache"
        self.runs = shutil.copytree(finished.folder / "runs", folder / "runs")
        self.ids = list(finished.results.frame["id"])
        self.folder, self.other = (self.runs / "small" / self.ids[row] for row in (ATTACKED, OTHER))

    def load(self) -> Results:
        return Results.load(self.experiment, self.runs, self.cache)


@pytest.fixture
def project(finished, tmp_path) -> Project:
    return Project(finished, tmp_path)


def edited(change: Callable[[dict], object]) -> Callable[[Project], None]:
    """An attack that changes the record's form, or writes what the change returns in its place."""

    def attack(project: Project) -> None:
        file = project.folder / RECORD_FILE
        form = json.loads(file.read_text("utf-8"))
        changed = change(form)
        file.write_text(json.dumps(form if changed is None else changed, indent=1), "utf-8")

    return attack


def written(name: str, content: Callable[[bytes], bytes]) -> Callable[[Project], None]:
    """An attack that writes other bytes to a file."""

    def attack(project: Project) -> None:
        file = project.folder / name
        file.write_bytes(content(file.read_bytes()))

    return attack


def swapped(*names: str) -> Callable[[Project], None]:
    """An attack that puts files of another run in the place of this one's."""

    def attack(project: Project) -> None:
        for name in names:
            shutil.copy(project.other / name, project.folder / name)

    return attack


def rearranged(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Project], None]:
    """An attack that changes arrays."""

    def attack(project: Project) -> None:
        with np.load(project.folder / ARRAYS_FILE) as stored:
            arrays = dict(stored)
        change(arrays)
        np.savez_compressed(project.folder / ARRAYS_FILE, **arrays)

    return attack


ATTACKS = {
    "a record's accuracy was edited": lambda project: forged.edit_accuracy(project.folder),
    "another run's arrays stand in its place": swapped(ARRAYS_FILE),
    "another run's record stands in its place": swapped(RECORD_FILE),
    "another run's record and arrays stand in its place": swapped(RECORD_FILE, ARRAYS_FILE),
    "the outcome of a record is 'great'": edited(lambda form: form.update(outcome="great")),
    "the evidence of a record is empty": edited(lambda form: form.update(evidence={})),
    "the history of a record is empty": edited(lambda form: form.update(history=[])),
    "the digest in a record is another": edited(lambda form: form.update(digest="0" * 64)),
    "the digest in a record is missing": edited(lambda form: form.pop("digest") and None),
    "a record is a list": edited(lambda form: [form]),
    "a record is a number": edited(lambda form: 7),
    "a record is of another shape": edited(lambda form: {"id": form["id"], "metrics": [1, 2]}),
    "a record lacks a key": edited(lambda form: form.pop("metrics") and None),
    "a number in a record is a text": edited(lambda form: form["metrics"].update(accuracy="0.9")),
    "a record is empty": written(RECORD_FILE, lambda content: b""),
    "a record is cut": written(RECORD_FILE, lambda content: content[: len(content) // 2]),
    "a record is no text": written(RECORD_FILE, lambda content: b"\xff\xfe" + content),
    "a record is nested without end": written(RECORD_FILE, lambda content: b"[" * 200_000),
    "a number in a record is NaN": edited(lambda form: form["metrics"].update(accuracy=float("nan"))),
    "arrays.npz is cut": written(ARRAYS_FILE, lambda content: content[: len(content) // 2]),
    "arrays.npz is empty": written(ARRAYS_FILE, lambda content: b""),
    "arrays.npz is missing": lambda project: (project.folder / ARRAYS_FILE).unlink(),
    "arrays.npz is a text": written(ARRAYS_FILE, lambda content: b"arrays"),
    "arrays.npz lacks the logits": rearranged(lambda arrays: arrays.pop("logits")),
    "arrays.npz holds objects": rearranged(lambda arrays: arrays.update(label=np.array([{}], object))),
    "all predictions were made right": lambda project: forged.replace_predictions(project.folder),
    "a label was changed": rearranged(lambda arrays: arrays["label"].__setitem__(0, (arrays["label"][0] + 1) % 10)),
}  # fmt: skip


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an older version"])
@pytest.mark.parametrize(("case", "attack"), ATTACKS.items(), ids=ATTACKS)
def test_the_run_is_named_and_left_out_whether_it_is_sealed_or_not(project, finished, case, attack, sealed):
    if not sealed:
        for run_id in project.ids:
            forged.make_older(project.runs / "small" / run_id)
    attack(project)
    results = project.load()
    study = Study(results)
    reason = results.frame["reason"][ATTACKED]
    assert list(results.frame["status"]) == ["finished"] * 4 + ["altered", "finished"], reason
    assert RECORD_FILE in reason or ARRAYS_FILE in reason
    assert project.folder.name not in results.records
    (alarm,) = (warning for warning in study.warnings if "was altered after its training" in warning)
    assert project.folder.name in alarm
    assert reason in alarm
    assert (study.effects[1].seeds, study.effects[1].planned) == (2, 3)
    others = [row for row in range(6) if row != ATTACKED]
    before = finished.results.frame["accuracy"]
    assert results.frame["accuracy"][others].tolist() == before[others].tolist()
    record_fault("believed", case, 1, "named, left out with an alarm", f"left out: {reason.partition(' (')[0]}")


def test_three_edited_accuracies_turn_no_verdict(project, finished):
    """As it was once: 'worse' became 'better' by three numbers in an editor."""
    for row, accuracy in zip((3, 4, 5), (0.991, 0.992, 0.993), strict=True):
        forged.edit_accuracy(project.runs / "small" / project.ids[row], accuracy)
    study = Study(project.load())
    assert sum("was altered after its training" in warning for warning in study.warnings) == 3
    effect = study.effects[1]
    assert (effect.seeds, effect.verdict) == (0, "undecided")
    assert study.effects[0].mean == Study(finished.results).effects[0].mean
    record_fault("believed", "three accuracies were edited", 3, "no verdict of them", "3 runs named, no verdict")


SEALS = {
    "the journal of another run stands in its place": swapped(JOURNAL_FILE),
    "the seal was cut out of the journal": lambda project: forged.without_seal(project.folder),
    "a seal names other files": lambda project: Journal(project.folder / JOURNAL_FILE).append(
        "sealed", files=dict.fromkeys(("../record.json", "weights.pt"), "0" * 64)
    ),
    "a seal names no file": lambda project: Journal(project.folder / JOURNAL_FILE).append("sealed", files={}),
    "the only seal is of another shape": lambda project: (
        forged.without_seal(project.folder),
        Journal(project.folder / JOURNAL_FILE).append("sealed", files=[RECORD_FILE]),
    ),
    "the journal is a folder": lambda project: (
        (project.folder / JOURNAL_FILE).unlink(),
        (project.folder / JOURNAL_FILE).mkdir(),
    ),
}


@pytest.mark.parametrize(("case", "attack"), SEALS.items(), ids=SEALS)
def test_a_run_whose_seal_was_touched_is_named_and_left_out(project, case, attack):
    attack(project)
    results = project.load()
    assert list(results.frame["status"]) == ["finished"] * 4 + ["altered", "finished"]
    assert "seal" in results.frame["reason"][ATTACKED]
    record_fault("believed", case, 1, "named, left out with an alarm", results.frame["reason"][ATTACKED])


def test_an_older_run_whose_seal_and_mark_are_gone_is_used_with_a_warning(project):
    """Nothing tells it from a run of an older version, but that the others are sealed."""
    forged.make_older(project.folder)
    warnings = Study(project.load()).warnings
    assert any(warning.startswith("1 of 6 finished runs is not sealed, unlike the others") for warning in warnings)


def test_a_damaged_older_run_is_trained_again_once_its_folder_is_gone(project, finished):
    """As the alarm says."""
    whole = read_digest(project.folder)
    forged.make_older(project.folder)
    ATTACKS["arrays.npz is cut"](project)
    assert "remove the run's folder and `ablation run` trains it again" in Study(project.load()).warnings[0]
    shutil.rmtree(project.folder)
    sweep(project.experiment, project.runs, project.cache, jobs=1, device="cpu")
    assert set(project.load().frame["status"]) == {"finished"}
    assert read_digest(project.folder) == whole
    assert set(read_seal(project.folder)) == {RECORD_FILE, ARRAYS_FILE}


READERS = {
    "predictions": lambda results, run_id: results.test_predictions(run_id),
    "training part": lambda results, run_id: results.part(run_id, "train"),
    "arrays": lambda results, run_id: results.arrays(run_id),
    "features": lambda results, run_id: results.features(run_id),
    "test conditions": lambda results, run_id: results.corrupted(run_id),
    "attention": lambda results, run_id: results.attention(run_id),
}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an older version"])
def test_arrays_that_are_changed_between_the_check_and_their_use_are_not_used(project, sealed):
    """A report takes seconds. All readers: whole, well-formed arrays with other predictions are in the place."""
    if not sealed:
        forged.make_older(project.folder)
    results, whole = project.load(), (project.folder / ARRAYS_FILE).read_bytes()
    for name, read in READERS.items():
        (project.folder / ARRAYS_FILE).write_bytes(whole)
        read(project.load(), project.folder.name)
        forged.replace_predictions(project.folder)
        with pytest.raises(DataError, match="changed while it was used"):
            read(results, project.folder.name)
        record_fault("believed", "arrays.npz was changed while a report was made", 1, "an error", f"{name}: an error")


def test_an_older_run_without_test_images_whose_digest_fits_is_left_out(project):
    """Nothing could be computed of it."""

    def emptied(arrays: dict[str, np.ndarray]) -> None:
        for name in ("sample", "label", "logits", "features"):
            arrays[name] = arrays[name][:0]

    forged.make_older(project.folder)
    rearranged(emptied)(project)
    forged.fit_digest(project.folder)
    results = project.load()
    assert results.frame["reason"][ATTACKED] == "arrays.npz holds no test image"
    assert len(Study(results).effects) == 2


def test_an_older_run_without_evidence_whose_digest_fits_is_used_with_a_warning(project):
    """It is as a forger leaves it who knows the program: nothing but the evidence that is missing tells."""
    forged.make_older(project.folder)
    ATTACKS["the evidence of a record is empty"](project)
    forged.fit_digest(project.folder)
    warnings = Study(project.load()).warnings
    assert any(
        warning.startswith("1 of 6 finished runs without evidence of split or test images") for warning in warnings
    )


def test_arrays_that_were_only_touched_or_copied_are_used(project):
    results = project.load()
    file = project.folder / ARRAYS_FILE
    before = project.load().test_predictions(project.folder.name)
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)
    assert np.array_equal(results.test_predictions(project.folder.name).logits, before.logits)


def test_a_damaged_folder_of_another_name_stops_nothing(project):
    """It can be no second result of a run."""
    shutil.copytree(project.folder, project.runs / "small" / "copy")
    assert any("Two results for one run" in warning for warning in Study(project.load()).warnings)
    (project.runs / "small" / "copy" / RECORD_FILE).write_text("[1]")
    assert not Study(project.load()).warnings
