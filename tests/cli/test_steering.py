"""`--set`, `--only` and `--dry-run` as a person types them, on all commands alike."""

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import ablation
from project import write_experiment

from ablation.cli.main import COMMANDS, cli

ON_EXPERIMENTS = ("plan", "preview", "run", "status", "compare", "report", "figures", "verify", "export", "sync")


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """Trained runs of two recipes under one optimizer with three seeds, to be changed as one likes."""
    return shutil.copytree(finished.folder, tmp_path / "project")


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and its time."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def options_of(name: str) -> dict[str, object]:
    command = cli.get_command(None, name)
    commands = getattr(command, "commands", {"": command}).values()
    every = (one for each in commands for one in each.params if not getattr(one, "hidden", False))
    return {option: one for one in every for option in one.opts}


def test_the_options_are_on_every_command_that_they_are_for():
    assert {name for name in COMMANDS if "--set" in options_of(name)} == set(ON_EXPERIMENTS)
    assert {name for name in COMMANDS if "--only" in options_of(name)} == {
        *("plan", "run", "status", "compare", "sync"),
    }
    writing = {"plan", "run", "sync", "report", "figures", "export", "cache", "new"}
    assert {name for name in COMMANDS if "--dry-run" in options_of(name)} == writing
    assert len({options_of(name)["--dry-run"].help for name in writing}) == 1


@pytest.mark.parametrize("name", ["report", "figures"])
def test_where_sections_are_chosen_only_is_no_option_and_says_what_is(project, name):
    for only in ("effects", "recipe=crop"):
        code, out, err = ablation(project, name, "small", "--only", only)
        said = " ".join(err.split())
        assert (code, out) == (2, "")
        assert "No such option '--only': it chooses runs, as recipe=crop," in said
        assert said.endswith("a section is --section SLUG.")
    assert not (project / "reports").exists()
    assert "--only" not in ablation(project, name, "--help").out
    assert {"--section"} <= options_of(name).keys() & options_of("compare").keys()


def arguments(name: str) -> list[str]:
    return {"export": ["--to", "pack.zip"]}.get(name, [])


@pytest.mark.parametrize("name", ON_EXPERIMENTS)
def test_every_command_refuses_bad_values_alike(project, name):
    code, out, err = ablation(project, name, "small", *arguments(name), "--set", "epochs=x", "--set", "sed=3")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "error: --set epochs=x: epochs = 'x': expected a whole number"
    assert "error: --set sed=3: an experiment has no field 'sed'; did you mean 'seeds'?" in " ".join(err.split())


@pytest.mark.parametrize("name", ["plan", "run", "status", "compare", "sync"])
@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("recip=crop", "no factor of that name; did you mean 'recipe'? (recipe, optimizer, seed)"),
        ("recipe=crp", "no such recipe; did you mean 'crop'? (none, crop)"),
        ("crop", "expected FACTOR=LEVEL, or several with commas, as recipe=crop,optimizer=sgd"),
    ],
)
def test_every_command_refuses_bad_names_alike(project, name, only, message):
    before = states(project / "runs")
    tracking = ["--no-tracking"] if name == "run" else []
    code, _, err = ablation(project, name, "small", "--only", only, *tracking)
    assert code == 2
    assert len(re.findall("^error: ", err, re.MULTILINE)) == 1
    assert message in " ".join(err.split())
    assert states(project / "runs") == before


def test_set_shares_the_runs_that_are_the_same(project):
    out = ablation(project, "status", "small", "--set", "seeds=2").out
    assert out.startswith("4 of 4 runs done")
    out = ablation(project, "status", "small", "--set", "epochs=5").out
    assert out.startswith("0 of 6 runs done, 6 planned")
    assert "ablation run small --set epochs=5" in out


def test_advised_commands_carry_what_was_set(project):
    out = ablation(project, "status", "small", "--set", "split=Fixed(0.2, 0.2, 0.5)", "--only", "recipe=crop").out
    advised = next(line for line in out.splitlines() if line.startswith("to train the rest: "))
    assert advised.endswith("ablation run small --set 'split=Fixed(0.2, 0.2, 0.5)' --only recipe=crop")


def test_a_variant_is_run_and_compared_beside_the_experiment(tmp_path, inside):
    """Two seeds first, then all three: each is judged as it was declared, and that there are others is said.

    In a pack too, which has the runs of one alone.
    """
    write_experiment(tmp_path, epochs=1)
    quick = ["-j", "1", "--device", "cpu", "--no-tracking", "--no-robustness"]
    run = ["run", "small", *quick]
    assert ablation(tmp_path, *run, "--set", "seeds=2").code == 0
    assert len(list((tmp_path / "runs" / "small").glob("*/record.json"))) == 4
    alone = ablation(tmp_path, "compare", "small", "--set", "seeds=2")
    whole = ablation(tmp_path, "compare", "small")
    assert "declared" not in alone.err + whole.err
    assert "2 of 6 runs not started" in whole.out + whole.err
    assert ablation(tmp_path, *run).code == 0
    assert len(list((tmp_path / "runs" / "small").glob("*/record.json"))) == 6
    for more in ([], ["--set", "seeds=2"]):
        ended = ablation(tmp_path, "compare", "small", *more)
        assert (ended.code, "declared" in ended.err, "variants" in ended.err) == (0, False, False)
        others = "Seeds 0 to 2" if more else "Seeds 0 and 1"
        assert f"{others} have results as a plan of their own" in " ".join(ended.err.split())
    assert ablation(tmp_path, *run, "--set", "epochs=2").code == 0
    assert len(list((tmp_path / "runs" / "small").glob("*/record.json"))) == 12
    for more in ([], ["--set", "seeds=2"], ["--set", "epochs=2"]):
        ended = ablation(tmp_path, "compare", "small", *more)
        assert (ended.code, "declared" in ended.err, "Two results" in ended.err) == (0, False, False)
        also = "the file as of" if more == ["--set", "epochs=2"] else "epochs=2"
        assert f"One of 2 variants that have results (also: {also}" in " ".join(ended.err.split())
    assert "Judged otherwise than declared" in ablation(tmp_path, "compare", "small", "--set", "margin=0.05").err
    assert ablation(tmp_path, "report", "small", "--no-pdf").code == 0
    assert "One of 2 variants that have results (also: epochs=2)" in (
        (tmp_path / "reports" / "small" / "evidence.json").read_text("utf-8")
    )
    assert ablation(tmp_path, "export", "small", "--to", "small.zip").code == 0
    verified = ablation(tmp_path, "verify", "small.zip")
    assert verified.code == 0, verified.out + verified.err
    assert "also: epochs=2" in " ".join(verified.err.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margin=0.05", "margin 0.01, now 0.05"),
        ("metric=macro_f1", "metric accuracy, now macro_f1"),
        ("baseline=crop", "baseline no augmentation, now RandomResizedCrop(scale=(0.5, 1.0))"),
        ("seeds=2", "seeds 0, 1, 2, now 0, 1"),
    ],
)
def test_what_is_set_after_results_is_reported(project, text, said):
    """In `compare` and in the report, and no run under it makes it a declaration."""
    assert ablation(project, "run", "small", "--no-tracking", "--set", text).code == 0
    err = " ".join(ablation(project, "compare", "small", "--set", text).err.split())
    assert "Judged otherwise than declared before the first result" in err
    assert said in err
    assert "Judged otherwise" not in ablation(project, "compare", "small").err


def test_a_rule_set_before_results_is_said_too(tmp_path, inside):
    write_experiment(tmp_path, epochs=1)
    quick = ["-j", "1", "--device", "cpu", "--no-tracking", "--no-robustness"]
    assert ablation(tmp_path, "run", "small", *quick, "--set", "margin=0.05").code == 0
    err = " ".join(ablation(tmp_path, "compare", "small", "--set", "margin=0.05").err.split())
    assert "Judged as declared with --set margin=0.05" in err
    assert "not as in the file: margin 0.01, now 0.05." in err
    err = " ".join(ablation(tmp_path, "compare", "small").err.split())
    assert "udged" not in err
    assert "One of 2 variants that have results (also: margin=0.05)" in err


def test_only_shows_some_rows_that_are_corrected_over_all(project):
    every = json.loads(ablation(project, "compare", "small", "--json", "-").out)
    some = ablation(project, "compare", "small", "--only", "recipe=crop")
    assert "--only: 1 of 1 comparison; p and verdicts are corrected over all that were declared." in some.out
    rows = json.loads(ablation(project, "compare", "small", "--only", "recipe=none", "--json", "-").out)
    assert rows == [effect for effect in every if effect["recipe"] == "none"]
    assert ablation(project, "compare", "small", "--only", "seed=1").code == 2
    assert ablation(project, "compare", "small", "--only", "recipe=crop", "--all").code == 2


def test_only_restricts_plan_and_status(project):
    assert ablation(project, "status", "small", "--only", "recipe=crop").out.startswith("3 of 3 runs done")
    assert ablation(project, "status", "small", "--only", "recipe=crop,seed=1").out.startswith("1 of 1 run done")
    planned = ablation(project, "plan", "small", "--only", "seed=0", "--set", "epochs=3").out
    assert "2 runs of 6 epochs in all, 0 finished" in planned
    assert "--only: these are some of 6 runs" in planned


@pytest.mark.slow
def test_only_restricts_sync(project):
    """MLflow takes seconds to be imported, and to make its store."""
    synced = ablation(project, "sync", "small", "--only", "recipe=crop")
    assert synced.code == 0
    assert "3 runs in MLflow" in synced.out
    assert "6 runs in MLflow" in ablation(project, "sync", "small").out


def test_what_smoke_makes_small_whatever_is_set_is_said_once(project):
    code, out, err = ablation(project, "status", "small", "--smoke", "--set", "epochs=5", "--set", "model=lenet")
    assert (code, out.startswith("0 of 4 runs done")) == (0, True)
    assert " ".join(err.split()) == (
        "warning: --smoke makes the experiment small, whatever was set: --set epochs=5 has no effect"
    )
    assert ablation(project, "status", "small", "--smoke", "--set", "seeds=2").err == ""


def test_sync_of_all_experiments_sets_nothing(project):
    code, _, err = ablation(project, "sync", "--set", "epochs=5")
    assert code == 2
    assert "--set and --only are for experiments that are named" in err


DRY = {
    "run": (["run", "small"], "would train 0 of 6 runs (6 finished)"),
    "run of a variant": (["run", "small", "--set", "epochs=1", "--only", "recipe=crop"], "would train 3 of 3 runs"),
    "run made small": (["run", "small", "--smoke"], "would train 4 of 4 runs"),
    "sync": (["sync", "small"], "small: would look at 6 runs in MLflow"),
    "report": (["report", "small"], "would write reports/small/report.html and report.pdf"),
    "report of a variant": (["report", "small", "--set", "seeds=2"], "would write reports/small-seeds=2/report.html"),
    "figures": (["figures", "small"], "would write the figures of all sections to reports/small-figures"),
    "export": (["export", "small", "--to", "pack.zip"], "would write pack.zip: 6 runs"),
    "cache": (["cache", "rm", "--all"], "would remove "),
    "new": (["new", "other", "--data", "digits"], '"""Which augmentation helps on 1,797 photographs'),
}


@pytest.mark.parametrize(("command", "said"), DRY.values(), ids=DRY)
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(project, command, said):
    before = states(project)
    code, out, err = ablation(project, *command, "--dry-run")
    assert code == 0, err
    assert said in out
    assert states(project) == before


def test_a_dry_run_in_a_new_project_leaves_it_as_it_is(tmp_path):
    write_experiment(tmp_path)
    before = states(tmp_path)
    code, out, _ = ablation(tmp_path, "run", "small", "--dry-run")
    assert code == 0
    assert "would train 6 of 6 runs; nothing is written" in out
    assert "crop · sgd · seed 2" in out
    assert " here" in out, "how long it takes"
    assert states(tmp_path) == before
    assert not (tmp_path / "cache").exists()


def test_a_dry_run_has_the_errors_of_the_command(project):
    assert ablation(project, "run", "small", "--dry-run", "--set", "model=resnt18").code == 2
    assert ablation(project, "report", "small", "--dry-run", "--section", "efects").code == 2
    (project / "full").mkdir()
    (project / "full" / "file").touch()
    assert "is there and not empty" in ablation(project, "export", "small", "--to", "full", "--dry-run").err
    assert "no cache is called 'x'" in ablation(project, "cache", "rm", "x", "--dry-run").err


def test_a_report_of_a_variant_stands_beside_that_of_the_experiment(project):
    report = ["report", "small", "--section", "effects", "--no-pdf"]
    assert ablation(project, *report).code == 0
    assert ablation(project, *report, "--set", "seeds=(0, 1)").code == 0
    assert sorted(path.name for path in (project / "reports").iterdir()) == [
        "small-effects",
        "small-effects-seeds=(0, 1)",
    ]
