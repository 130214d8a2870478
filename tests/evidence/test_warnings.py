"""What makes results less than the experiment planned: each kind raises its warning, and nothing else does."""

import shutil
from dataclasses import replace

import forged
import pytest
from made_up import noise, question, results_of, usual

from ablation.core.text import counted, named, plain
from ablation.data import Fixed, PerSeed, TrainSize
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.preregistration import preregister
from ablation.experiment.record import RunRecord
from ablation.experiment.results import Results
from ablation.optim import Adam


@pytest.fixture
def experiment() -> Experiment:
    return question()


def test_all_is_well_without_warnings(experiment):
    assert list(Study(results_of(experiment)).warnings) == []


def test_each_kind_of_missing_run_raises_a_warning(experiment):
    endings = {0: "failed", 1: "diverged", 2: "interrupted", 3: "planned"}
    results = results_of(
        replace(experiment, recipes={"none": (), "nothing": ()}, optimizers={"adam": Adam()}),
        lambda cell: endings.get(cell.seed, 0.8),
    )
    assert list(Study(results).warnings) == [
        f"1 of 5 runs {status}: in no mean and no test."
        for status in ("failed", "diverged", "interrupted", "not started")
    ]


def test_another_split_raises_a_warning(experiment):
    results = results_of(experiment)
    results.frame.loc[3, "split_digest"] = "another"
    assert list(Study(results).warnings) == ["Runs that should share a split do not: the comparison does not hold."]
    redrawn = results_of(replace(experiment, split=PerSeed(), test=None))
    redrawn.frame["split_digest"] = redrawn.frame["seed"].astype(str)
    assert list(Study(redrawn).warnings) == []


def test_other_test_images_raise_a_warning(experiment):
    results = results_of(experiment)
    results.frame.loc[3, "first_test_batch"] = "other"
    assert list(Study(results).warnings) == [
        "The test images are not the same in all runs of one split: the comparison does not hold."
    ]


def test_runs_that_train_on_fewer_images_need_not_share_a_split(experiment):
    results = results_of(replace(experiment, vary={"train_size": {"few": TrainSize(5), "all": None}}))
    results.frame["split_digest"] = results.frame["train_size"]
    assert list(Study(results).warnings) == []
    results.frame.loc[3, "split_digest"] = "another"
    assert list(Study(results).warnings) == ["Runs that should share a split do not: the comparison does not hold."]


@pytest.mark.parametrize(
    ("count", "files"), [(1, "1 file of the data cannot be used and is"), (3, "3 files of the data")]
)
def test_files_that_are_left_out_raise_a_warning(experiment, count, files):
    (warning,) = Study(replace(results_of(experiment), left_out=count)).warnings
    assert warning.startswith(files)
    assert warning.endswith("left out.")


@pytest.mark.parametrize(
    "vary", [{"split": (Fixed(), PerSeed())}, {"image_size": (8, 16)}, {"batch_size": (8, 16)}], ids=str
)
def test_what_shows_other_test_images_by_design_raises_none(experiment, vary):
    results = results_of(replace(experiment, vary=vary, test=None))
    (factor,) = vary
    results.frame["first_test_batch"] = results.frame[factor]
    results.frame["split_digest"] = results.frame[factor] if factor == "split" else "s"
    assert list(Study(results).warnings) == []


def test_other_machines_raise_a_warning(experiment):
    results = results_of(experiment)
    results.frame.loc[0, "device"] = "NVIDIA H200"
    others = counted(results.frame["id"].nunique() - 1, "run")
    said = f"Runs on different devices are compared: NVIDIA H200 (1 run), cpu ({others})."
    assert list(Study(results).warnings) == [said]


def test_recipes_that_were_trained_in_different_ways_are_named(experiment):
    """Then a difference is that of the recipes, of the ways, or of both."""
    results = results_of(experiment)
    treated = results.frame["recipe"] != experiment.baseline
    results.frame.loc[treated, "device"] = "NVIDIA H200"
    (said,) = map(plain, Study(results).warnings)
    assert "What is due to that, and what to the recipe, cannot be told" in said
    assert f"“{experiment.baseline}” has cpu only" in said


def test_runs_that_were_computed_in_other_ways_raise_a_warning(experiment):
    results = results_of(experiment)
    ids = list(results.frame["id"])
    usually = {"memory_format": "channels_last"}
    chosen = {ids[0]: usually | {"step": "compile"}, ids[1]: {"memory_format": "contiguous"}}
    made = {one: RunRecord(one, "finished", (), {}, {}, {}, chosen.get(one, usually), ()) for one in ids}
    others = counted(len(ids) - 1, "run")
    undeclared = "No plan was declared before the first result, nor after it."
    assert list(Study(replace(results, records=made)).warnings) == [
        undeclared,
        f"Runs on different ways to compute a step are compared: compile (1 run), not compiled ({others}).",
        f"Runs on different memory formats are compared: channels_last ({others}), contiguous (1 run).",
    ]
    alike = {one: replace(record, environment={"step": "compile"}) for one, record in made.items()}
    assert list(Study(replace(results, records=alike)).warnings) == [undeclared]


def test_networks_may_have_memory_formats_of_their_own(experiment):
    """Recipes have them in common: one of the user's own is contiguous, the others are not."""
    results = results_of(replace(experiment, vary={"model": ("lenet", "made_up:question")}))
    models = dict(zip(results.frame["id"], results.frame["model"], strict=True))

    def said(format_of) -> list[str]:
        made = {
            one: RunRecord(one, "finished", (), {}, {}, {}, {"memory_format": format_of(one)}, ()) for one in models
        }
        return [text for text in Study(replace(results, records=made)).warnings if "memory formats" in text]

    assert said(lambda one: "contiguous" if models[one] == "made_up:question" else "channels_last") == []
    one = next(iter(models))
    assert len(said(lambda other: "contiguous" if other == one else "channels_last")) == 1


def test_scores_without_any_spread_raise_a_warning(experiment):
    def stuck(cell):
        return 0.8 if (cell.factors["recipe"], cell.factors["optimizer"]) == ("bright", "sgd") else usual(cell)

    assert list(Study(results_of(experiment, stuck)).warnings) == [
        f"{named('bright')} under {named('sgd', recipe=False)}: the same figures for all 5 seeds. "
        "Do they reach the training?"
    ]


def test_other_runs_with_the_same_figures_raise_a_warning(experiment):
    """As when an augmentation is declared and never applied. Two names for the same runs are no such case."""

    def ignored(cell):
        return 0.8 + 0.001 * cell.seed if cell.factors["optimizer"] == "adam" else usual(cell)

    asked = replace(experiment, recipes={**experiment.recipes, "nothing": ()})
    assert list(map(plain, Study(results_of(asked, ignored)).warnings)) == [
        "“none” under “adam”, “bright” under “adam”, “contrast” under “adam” and “nothing” under “adam” have the same "
        "figures for every seed. Is what differs between them applied?"
    ]
    assert list(Study(results_of(asked, usual_by_spec)).warnings) == []
    once = results_of(experiment, ignored)
    once.frame.loc[once.frame["recipe"] != "none", "macro_f1"] += once.frame.index[once.frame["recipe"] != "none"] / 1e6
    assert list(Study(once).warnings) == [], "one figure that differs is enough"


def usual_by_spec(cell):
    return 0.8 + noise(cell)


@pytest.fixture
def trained(finished, tmp_path):
    """A finished experiment, what loads its warnings from a copy of its runs, and the folder of these."""
    asked, cache = finished.experiment, finished.folder / "cache"
    shutil.copytree(finished.folder / "runs", tmp_path, dirs_exist_ok=True)
    return asked, lambda asked=asked: list(Study(Results.load(asked, tmp_path, cache)).warnings), tmp_path / asked.name


def test_a_copied_run_is_a_second_result_and_is_told(trained):
    _, found, root = trained
    assert found() == []
    first, other = (record.parent.name for record in sorted(root.glob("*/record.json"))[:2])
    shutil.copytree(root / first, root / f"{first} (copy)")
    assert found() == [f"Two results for one run: {root / first} (copy) holds {first} too, and is not used."]
    for file in ("record.json", "arrays.npz", "journal.jsonl"):
        shutil.copy(root / other / file, root / first / file)
    assert f"({first}) was altered after its training: record.json is that of the run {other}, and not of" in found()[0]
    assert "It is in no mean and no test." in found()[0]


def test_runs_without_a_seal_beside_others_are_told(trained):
    """Where none is sealed all are of an older version, and nothing is to be said."""
    _, found, root = trained
    folders = [record.parent for record in sorted(root.glob("*/record.json"))]
    forged.make_older(folders[0])
    why = "not sealed, unlike the others: made by an older version, or without their seals since."
    assert found() == [f"1 of {len(folders)} finished runs is {why}"]
    for folder in folders[1:-1]:
        forged.make_older(folder)
    assert found() == [f"{len(folders) - 1} of {len(folders)} finished runs are {why}"]
    forged.make_older(folders[-1])
    assert found() == []


def test_what_is_judged_otherwise_than_declared_is_told(trained):
    asked, found, _ = trained
    changed = replace(asked, metric="macro_f1", margin=0.02, seeds=4)
    (told,) = (warning for warning in found(changed) if "declared" in warning)
    assert told.startswith("Judged otherwise than declared before the first result (20")
    assert told.endswith("metric accuracy, now macro_f1; margin 0.01, now 0.02; seeds 0, 1, 2, now 0, 1, 2, 3.")
    assert found() == []


def test_equal_accuracies_are_no_warning_where_other_figures_differ(experiment):
    """Forty test images, all but two right by every run: as it should be near the ceiling."""
    results = results_of(experiment, lambda cell: 0.95)
    results.frame["log_loss"] = [0.1 + 0.001 * run for run in range(len(results.frame))]
    assert list(Study(results).warnings) == []


def test_a_run_without_a_finite_score_raises_a_warning(experiment):
    lost = results_of(experiment, lambda cell: float("nan") if cell.seed == 1 else usual(cell))
    assert list(Study(lost).warnings) == ["6 of 30 runs without a finite score: in no mean and no test."]


def test_a_plan_that_comes_after_results_is_told(experiment, tmp_path):
    """With what has changed since the earliest that there is."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").touch()
    asked = replace(experiment, metric="log_loss", margin=0.2)

    def found(asked: Experiment) -> list[str]:
        records = {"run": RunRecord("run", "finished", (), {}, {}, {}, {}, ())}
        told = Study(replace(results_of(asked, lambda cell: "planned"), root=tmp_path, records=records)).warnings
        return [warning for warning in told if "declared" in warning]

    assert found(experiment) == ["No plan was declared before the first result, nor after it."]
    preregister(experiment, experiment.cells("0" * 16), tmp_path)
    (same,) = found(experiment)
    assert same.startswith("No plan was declared before the first result. The earliest is of 20")
    assert same.endswith("UTC, and not changed since.")
    preregister(asked, asked.cells("0" * 16), tmp_path)
    (told,) = found(asked)
    assert told.endswith("UTC. Since then: metric accuracy, now log_loss; margin 0.01, now 0.2.")
