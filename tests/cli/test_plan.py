"""`ablation plan` as a person types it: the answer first, a pilot, and what cannot be trained."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from commands import ablation
from made_up import question
from project import write_experiment
from terminal import lines, on_terminal

from ablation import Digits, Fixed, KFold, Redrawn
from ablation.cli.plan import Known, show_plan
from ablation.cli.plan_cost import Estimate
from ablation.data import listing
from ablation.data.sources import Subset
from ablation.evidence.power import UNKNOWN, Spread
from ablation.training.cost.benchmark import first_guess
from ablation.training.cost.rates import Machine, remember, remembered
from ablation.training.sweep import sweep

PLAN, BASELINE = "ablation plan made_up", "ablation run made_up --only recipe=none"


@pytest.fixture
def planned(cache, capsys):
    """A function that plans an experiment on 24 digits of each class; what is printed, its lines as one."""
    data = listing(Subset(Digits(), per_class=24), cache, None)

    def text(experiment, spread=UNKNOWN, finished=0, accuracy=None, baseline="", every=False) -> str:
        known = Known(finished, spread, spread, accuracy, baseline)
        show_plan(experiment, data, experiment.cells(data.digest), known, Estimate(), PLAN, every=every)
        return " ".join(capsys.readouterr().out.split())

    return text


FEW = replace(question(), test=None, split=Fixed(0.6, 0.2, 0.2))
"""48 or so of 240 photographs to test on."""


def test_before_any_run_it_says_what_cannot_be_found(planned):
    text = planned(FEW)
    assert re.search(
        r"cannot detect a difference below [\d.]+ points of accuracy, however little seeds vary: 5 seeds", text
    )
    assert "assuming an accuracy of 90 %, and 1 in 22 images answered differently" in text
    assert f"`{PLAN} --pilot` trains two runs to know better" in text
    assert text.index("cannot detect") < text.index("factor level value"), "the answer comes first"
    least, less = (float(re.search(r"below ([\d.]+)", one)[1]) for one in (text, planned(FEW, accuracy=0.6)))
    assert less > 1.2 * least


def test_epochs_are_at_most_so_many_where_training_may_stop_early(planned):
    every = FEW.epochs * len(FEW.cells("0" * 16))
    assert f"of at most {every:,} epochs in all, 0 finished" in planned(replace(FEW, patience=1))
    for patience in (None, FEW.epochs):
        assert f"runs of {every:,} epochs in all, 0 finished" in planned(replace(FEW, patience=patience))


def test_with_runs_it_says_what_is_found(planned):
    known = planned(FEW, Spread(0.02, "estimated from 30 finished runs", df=24, score=0.8), 30)
    assert re.search(
        r"detects a difference of [\d.]+ points of accuracy or more, 4 times in 5: 5 seeds, \d+ test", known
    )
    assert "however little" not in known
    few = planned(FEW, Spread(0.02, "estimated from 4 finished runs", df=3, score=0.8), 4)
    low, high = map(float, re.search(r"detects a difference of ([\d.]+) to ([\d.]+) points of accuracy", few).groups())
    at_best = float(re.search(r"none below ([\d.]+), however little seeds vary \(an accuracy of 79 %", few)[1])
    assert at_best < low < high
    given = planned(FEW, Spread(0.04, "given"))
    assert re.search(r"detects a difference of [\d.]+ points of accuracy or more.*; none below [\d.]+, however", given)


def test_two_runs_say_little_and_no_number_is_beyond_the_metric(planned):
    """One run and its next of a baseline may differ by chance: what to do stands in the first lines."""
    two = Spread(0.04, "estimated from 2 finished runs, under one condition", df=1, score=0.8)
    text = planned(FEW, two, 2, baseline=BASELINE, every=True)
    said = re.search(
        r"2 finished runs say little: the smallest difference that 5 seeds detect is between ([\d.]+) points "
        r"of accuracy \(what 50 test images allow\) and ([\d.]+) points of accuracy; 3 to 5 seeds of the baseline "
        rf"would say more, and are kept: `{BASELINE}`",
        text,
    )
    assert 0 < float(said[1]) < float(said[2]) < 100
    assert text.index(said[0]) < text.index("factor level value")
    assert "is 5.7; with so few it may be 2.5 or as large as accuracy allows (95 %). This plan takes its upper" in text
    assert "takes its upper limit at 80 %, 22.3." in text
    wide = planned(FEW, replace(two, sd=0.09), 2, every=True)
    assert "(what 50 test images allow) and more than accuracy can show; more seeds would say more" in wide
    assert re.search(r"pooled over 2 conditions 5 50 [\d.]+ none > 1,000", wide)
    assert "(none: more than accuracy can show)" in wide
    assert "even the largest" not in wide, "it is the upper limit alone"
    vast = planned(FEW, replace(two, sd=0.3), 2, every=True)
    assert re.search(r"pooled over 2 conditions 5 50 > 100.0 none > 1,000", vast)
    assert "This plan takes more than accuracy allows, which is its upper limit at 80 %." in vast
    for shown in (text, wide, vast):
        table = shown[shown.index("each recipe against") :]
        assert max(map(float, re.findall(r"(?<![\d.,])\d+\.\d(?![\d.])", table))) <= 100, "points"
    loss = planned(replace(FEW, metric="log_loss"), Spread(2.0, "estimated from 2 finished runs", df=1), 2)
    assert re.search(r"between [\d.]+ nats of log loss \(as seeds varied in these\) and [\d.]+ nats of log loss;", loss)


def test_what_cannot_be_found_at_all_is_the_answer(planned):
    text = planned(FEW, Spread(0.6, "given"))
    assert (
        text.count("even the largest difference that accuracy can show would be detected less than 4 times in 5: 5")
        == 1
    )
    assert text.index("even the largest") < text.index("factor level value")
    assert "detects a difference" not in text
    assert "even the largest" not in planned(replace(FEW, metric="log_loss"), Spread(0.6, "given"))


def test_one_photograph_that_is_worth_more_than_the_margin_is_told_with_what_to_do(planned, cache):
    """Each remedy is taken, and the warning is gone."""
    text = planned(FEW)
    worth = re.search(
        r"One of (\d+) test images is worth ([\d.]+) points of accuracy, more than the margin of 1.0", text
    )
    assert float(worth[2]) == pytest.approx(100 / int(worth[1]), abs=0.05)
    assert "which needs at least 100: split=KFold(5) tests all 240, with 5 seeds or more" in text
    assert "One of" not in planned(replace(FEW, split=KFold(5)))
    assert "One of 144 " not in planned(replace(FEW, split=KFold(5), seeds=3)), "three folds are enough, too"
    roomy = planned(replace(FEW, split=Redrawn(0.13, 0.1, 0.2)))
    share = float(re.search(r"at least 100: split=Redrawn\(..., test=([\d.]+)\); or split=KFold\(5\)", roomy)[1])
    assert "One of" not in planned(replace(FEW, split=Redrawn(0.13, 0.1, share)))
    assert "One of" not in planned(replace(FEW, margin=0.03))
    strict = planned(replace(FEW, margin=0.001))
    margin = float(re.search(r"more photographs than these 240, or margin=([\d.]+) and split=KFold\(5\)", strict)[1])
    assert "One of" not in planned(replace(FEW, margin=margin, split=KFold(5)))
    assert "One of" not in planned(replace(FEW, metric="log_loss")), "a loss has no photographs to count"


@pytest.fixture(scope="module")
def guess() -> Machine:
    return first_guess("cpu")


@pytest.fixture
def project(tmp_path, guess) -> Path:
    """With a machine that was guessed before: that takes seconds."""
    write_experiment(tmp_path)
    (tmp_path / "cache").mkdir()
    remember(guess, tmp_path / "cache")
    return tmp_path


@pytest.mark.usefixtures("inside", "one_thread")
def test_a_pilot_trains_two_runs_of_the_grid_and_plans_from_them(project, monkeypatch):
    monkeypatch.setattr("ablation.training.crew.cpu_count", lambda: 1)
    code, out, err = ablation(project, "plan", "small", "--pilot")
    text = " ".join(out.split())
    assert (code, err) == (0, "")
    assert "pilot: 2 runs to train (“none · sgd · seed 0” and “none · sgd · seed 1”), about " in text
    assert text.index("pilot: 2 runs") < text.index("2 finished")
    assert "6 runs of 12 epochs in all, 2 finished; the rest takes about " in text
    assert "2 finished runs say little: the smallest difference that " in text
    assert "would say more, and are kept: `ablation run small --only recipe=none`" in text
    assert len(list(project.glob("runs/small/*/record.json"))) == 2
    assert not (project / "mlflow.db").exists()
    again = " ".join(ablation(project, "plan", "small", "--pilot").out.split())
    assert "is finished: nothing to train" in again
    assert again.endswith(text[text.index("Does cropping help?") :])
    from ablation.experiment.files import find, read

    experiment = read(find(str(project / "experiments" / "small.py"))).experiment
    trained = []
    runs = sweep(experiment, project / "runs", project / "cache", ended=trained.append, jobs=1)
    assert (len(trained), len(runs)) == (4, 6), "the others alone"


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.usefixtures("one_thread")
def test_a_dry_pilot_says_what_it_would_train(project):
    before = files(project)
    code, out, err = ablation(project, "plan", "small", "--pilot", "--dry-run")
    text = " ".join(out.split())
    assert (code, err) == (0, "")
    assert text.startswith("--pilot would train 2 runs (“none · sgd · seed 0” and “none · sgd · seed 1”), about ")
    assert "; nothing is written Does cropping help? 6 runs of 12 epochs in all, 0 finished" in text
    assert {path for path in files(project).keys() ^ before.keys() if "__pycache__" not in path.parts} == set()


def test_the_screen_is_short_and_all_has_the_rest(project):
    shown = on_terminal(project, "plan", "small", columns=80)
    assert shown.code == 0
    short = [line for line in lines(shown) if line.strip()]
    assert len(short) <= 25
    assert short[-1] == "each comparison's power, costs, every run: ablation plan small --all"
    assert not {"MACs", "alpha", "memory"} & set(" ".join(short).split())
    every = " ".join(ablation(project, *short[-1].split(": ablation ")[1].split()).out.split())
    for words in ("alpha 0.05", "seeds for 2.0: how many detect", "MACs memory a run in all", "memory of the largest"):
        assert words in every
    assert every.count(" planned") == 6


@pytest.mark.usefixtures("inside", "one_thread")
def test_a_pilot_that_fails_is_no_plan_from_it(project, monkeypatch):
    monkeypatch.setattr("ablation.training.crew.cpu_count", lambda: 1)
    (project / "boom.py").write_text("def boom(picture, generator):\n    raise ValueError('boom')\n")
    file = project / "experiments" / "small.py"
    file.write_text(
        file.read_text()
        .replace('"none": ()', '"none": (ImageFunction("boom.py:boom"),)')
        .replace("import Adam,", "import Adam, ImageFunction,")
    )
    code, out, err = ablation(project, "plan", "small", "--pilot")
    assert code == 1
    assert "the pilot lacks “none · sgd · seed 0” and “none · sgd · seed 1”" in " ".join(err.split())
    assert "cannot detect a difference below" in " ".join(out.split())


def test_pilots_that_cannot_be(project):
    file = project / "experiments" / "small.py"
    file.write_text(file.read_text().replace("seeds=3", "seeds=1"))
    code, _, err = ablation(project, "plan", "small", "--pilot")
    assert (code, err.count("error:")) == (2, 1)
    assert "this experiment has 1 seed of it; give it 3 seeds or more" in " ".join(err.split())
    code, _, err = ablation(project, "plan", "small", "--pilot", "--sd", "2")
    assert (code, "leave one of them out" in err) == (2, True)
    for wrong in ("0", "100", "-5", "many"):
        code, _, err = ablation(project, "plan", "small", "--accuracy", wrong)
        assert (code, "--accuracy" in err) == (2, True)
    assert not (project / "runs").exists()


def test_a_network_that_cannot_be_trained_exits_with_2_and_what_would_do(project):
    file = project / "experiments" / "small.py"
    plain = file.read_text()
    file.write_text(plain.replace('"shallow_cnn"', '"vgg11"'))
    code, out, err = ablation(project, "plan", "small")
    assert (code, out, err.count("error:")) == (2, "", 1)
    assert "vgg11 does not take images of 8 x 8 pixels: " in " ".join(err.split())
    assert "give image_size 32 or more" in " ".join(err.split())
    (project / "own_maps.py").write_text(
        "from torch import nn\n"
        "class Maps(nn.Module):\n"
        "    def __init__(self, classes):\n"
        "        super().__init__()\n"
        "        self.head = nn.Linear(3, classes)\n"
        "    def forward(self, images):\n"
        "        return self.head(images.permute(0, 2, 3, 1))\n"
        "def maps(classes): return Maps(classes)\n"
        "def raises(classes): raise KeyError('no weights here')\n"
    )
    for name, reason in (("maps", "2 x 8 x 8 x 10"), ("raises", "KeyError: 'no weights here'")):
        file.write_text(plain.replace('"shallow_cnn"', f'"own_maps:{name}"'))
        code, out, err = ablation(project, "plan", "small")
        assert (code, out, err.count("error:")) == (2, "", 1)
        assert reason in " ".join(err.split())


@pytest.mark.usefixtures("one_thread")
def test_a_machine_that_was_never_measured_is_guessed_once(tmp_path):
    project = write_experiment(tmp_path).parent.parent
    code, out, _ = ablation(project, "plan", "small")
    text = " ".join(out.split())
    assert code == 0
    assert re.search(r"6 runs of 12 epochs in all, 0 finished; about [\d.]+ s here", text)
    assert "(a first guess, right within a factor of about 2 where nothing else runs)" in text
    assert "for the time more exactly: `ablation doctor --measure`" in text
    guess = remembered(project / "cache")
    assert guess.guessed
    assert ablation(project, "plan", "small").out == out
    assert remembered(project / "cache") == guess, "it was not measured again"


@pytest.mark.usefixtures("one_thread")
def test_a_variant_takes_what_finished_runs_of_its_network_took(finished, tmp_path, guess):
    """Of `--set`, of `--only`, of `run --dry-run`; not of another network or size, whose runs say nothing."""
    project = shutil.copytree(finished.folder, tmp_path / "project")
    remember(guess, project / "cache")
    for command in (("plan",), ("run", "--dry-run")):
        shown = " ".join(ablation(project, *command, "small", "--set", "batch_size=24").out.split())
        assert "(as 6 finished runs of the same network took)" in shown
    larger = " ".join(ablation(project, "plan", "small", "--set", "image_size=9").out.split())
    assert "(a first guess, right within a factor of about 2 where nothing else runs)" in larger
    shutil.rmtree(next(project.glob("runs/small/*/record.json")).parent)
    assert "(as 5 finished runs took)" in " ".join(ablation(project, "plan", "small").out.split())
    next(project.glob("runs/small/*/record.json")).write_text("{}")
    shown = " ".join(ablation(project, "plan", "small", "--set", "batch_size=24").out.split())
    assert "(as 4 finished runs of the same network took)" in shown, "a damaged record costs no plan"
