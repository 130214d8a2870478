"""The commands as a person runs them, in a folder of their own; in a process where that is what is tested."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from commands import ablation
from PIL import Image
from project import write_experiment
from rich.console import Console

from ablation.cli.console import console
from ablation.cli.main import COMMANDS, _going_on, cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """A project's folder with one small experiment."""
    write_experiment(tmp_path)
    return tmp_path


@pytest.fixture
def trained_folder(finished, tmp_path):
    """The same with its runs finished, to be changed as one likes."""
    return shutil.copytree(finished.folder, tmp_path / "project")


def start(folder, *arguments, environment={}, **options):  # noqa: B006
    return subprocess.Popen(
        [sys.executable, "-m", "ablation.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def in_a_process(folder, *arguments, **environment):
    """Exit code, standard output, standard error."""
    process = start(folder, *arguments, environment=environment)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_before_any_run_a_plan_is_shown(folder):
    code, out, _ = ablation(folder, "list")
    assert code == 0
    assert re.search(r"small +Does cropping help\?", out)
    code, out, _ = ablation(folder, "plan", "small", "--all")
    assert code == 0
    assert re.search(r"6 runs of \d+ epochs in all, 0 finished", out)
    assert out.count("planned") == 6
    assert "assuming an accuracy of 90 %" in " ".join(out.split())


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # of SQLAlchemy, by MLflow's own code
def test_the_whole_path(trained_folder):
    """plan, run of what is missing, status, compare, report; then again, which trains nothing."""
    folder = trained_folder
    shutil.rmtree(min((folder / "runs" / "small").glob("*/record.json")).parent)
    code, out, _ = ablation(folder, "plan", "small", "--all")
    assert code == 0
    assert re.search(r"6 runs of \d+ epochs in all, 5 finished", out)
    assert out.count("planned") == 1
    (plan,) = re.findall(r"; plan ([0-9a-f]{12})", out)

    code, out, err = ablation(folder, "run", "small", "-j", "1")
    assert code == 0
    assert "warning: " not in err
    assert "[6/6]" in out
    assert "seeds" not in out, "none is missing"
    assert re.search(r"\bcrop\b.* (better|worse|equivalent|undecided)", out)
    stored = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    where = [stored.get_experiment_by_name("small").experiment_id]
    assert len(stored.search_runs(where, "params.recipe = 'crop' AND attributes.status = 'FINISHED'")) == 3
    assert len(stored.search_runs(where, "tags.`ablation.kind` = 'run'")) == 6
    (of_all,) = stored.search_runs(where, "tags.`ablation.kind` = 'report'")
    assert of_all.data.tags["ablation.plan"] == plan

    code, out, _ = ablation(folder, "status", "small")
    assert (code, "6 of 6 runs done" in out) == (0, True)

    code, out, _ = ablation(folder, "compare", "small", "--csv", "effects.csv", "--json", "-")
    assert code == 0
    sentence = json.loads(out)
    assert [effect["verdict"] == "baseline" for effect in sentence] == [True, False]
    assert pd.read_csv(folder / "effects.csv")["estimate"][1] == pytest.approx(sentence[1]["estimate"])

    code, out, _ = ablation(folder, "compare", "small", "--all", "--latex", "t.tex", "--markdown", "t.md")
    assert (code, "Hedges' g" in out, "adjusted" in out) == (0, True, False)
    assert "\\toprule" in (folder / "t.tex").read_text()
    assert "| crop" in (folder / "t.md").read_text()

    code, out, _ = ablation(folder, "plan", "small", "--sd", "0.8", "--all")
    assert "crop under " in out
    assert " 1.1 " in out, "of a difference of two such scores"
    assert "sd: over seeds of a paired difference, given" in out

    code, out, _ = ablation(folder, "report", "small")
    assert (code, out) == (0, "wrote reports/small/report.html and report.pdf\n")
    page = (folder / "reports" / "small" / "report.html").read_text()
    assert "Does cropping help?" in page
    assert re.search(rf"{plan}, recorded 20..-..-.. ..:.. UTC, before the first result", page)
    assert ablation(folder, "report", "small")[1] == "reports/small/report.html and report.pdf: up to date\n"

    code, out, _ = ablation(folder, "run", "small")
    assert code == 0
    assert "all 6 runs are finished: nothing to train" in out


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(folder):
    file = write_experiment(folder, epochs=20)
    file.write_text(file.read_text().replace("seeds=3", "seeds=1"))
    process = start(folder, "run", "small", "-j", "1", "--no-tracking", start_new_session=True)
    journals = folder / "runs" / "small"
    deadline = time.monotonic() + 120
    while not (begun := list(journals.glob("*/checkpoint.pt"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; the same command goes on: ablation run small" in out
    assert "Traceback" not in out + err
    first = begun[0].parent
    code, out, _ = ablation(folder, "run", "small", "--no-tracking")
    assert code == 0
    epochs = [line for line in (first / "journal.jsonl").read_text().splitlines() if '"event": "epoch"' in line]
    assert 20 <= len(epochs) <= 21, "at most the current epoch is trained twice"


def test_a_process_ends_with_the_status_of_what_went_wrong(folder):
    assert in_a_process(folder, "list")[0] == 0
    code, out, err = in_a_process(folder, "run", "smal")
    assert (code, out) == (2, "")
    assert err == "error: there is no experiment 'smal'; did you mean 'small'? (experiments/ has small)\n"


def test_a_pipe_that_closes_early_ends_the_command_quietly(folder):
    process = start(folder, "list")
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)


def test_an_output_of_ascii_gets_ascii(trained_folder):
    file = trained_folder / "experiments" / "small.py"
    file.write_text(file.read_text().replace("Does cropping help?", "Zählt ein Ausschnitt → ±1?"), "utf-8")
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    code, out, err = in_a_process(trained_folder, "list", **ascii_only)
    assert (code, err) == (0, "")
    assert "Zahlt ein Ausschnitt -> +-1?" in out
    assert out.isascii()
    code, out, err = in_a_process(trained_folder, "compare", "small", "--all", **ascii_only)
    assert code == 0
    assert (out + err).isascii()
    assert "crop" in out
    (trained_folder / "experiments" / "small.py").unlink()
    code, _, err = in_a_process(trained_folder, "status", "größer", **ascii_only)
    assert code == 2
    assert "there is no experiment 'groer'" in err.replace("\\xdf", "")


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("command", [("list",), ("status", "small"), ("check", "digits")], ids=lambda words: words[0])
def test_no_line_is_wider_than_the_terminal(command, width, trained_folder, monkeypatch):
    other = "Does cropping a photograph to some part of it help as much as everybody seems to believe it does?"
    file = trained_folder / "experiments" / "small.py"
    file.write_text(file.read_text().replace("Does cropping help?", other))
    monkeypatch.setattr(Console, "is_terminal", property(lambda self: True))
    monkeypatch.setattr(console, "width", width)
    code, out, _ = ablation(trained_folder, *command)
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "…" not in out, "nothing is cut"


def test_the_table_of_commands_is_true():
    """Its line of help is how the command's own help begins, and the commands stand in its order."""
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(None, name)
        assert command.name == name
        assert command.get_short_help_str(200).startswith(line.rstrip(".").split(":")[0].split(",")[0])
    assert cli.list_commands(None) == list(COMMANDS)


def test_mistakes_in_a_command(folder):
    code, out, err = ablation(folder, "run", "smal")
    assert (code, out) == (2, "")
    assert err == "error: there is no experiment 'smal'; did you mean 'small'? (experiments/ has small)\n"
    code, _, err = ablation(folder, "rn", "small")
    assert code == 2
    assert "run" in err
    code, _, err = ablation(folder, "run", "small", "--device", "tpu")
    assert code == 2
    assert err == "error: device = 'tpu' (--device): auto, cpu, cuda or cuda:N, as cuda:0\n"
    assert not (folder / "runs").exists()


def test_mistakes_in_an_experiment_file_are_told_all_at_once(folder):
    file = folder / "experiments" / "small.py"
    text = file.read_text().replace("SGD(lr=0.05)", "SGD(lr=-1, momentun=0.9)").replace('"none",', '"nome",')
    file.write_text(text.replace("scale=(0.5, 1.0)", "scale=(0.5, 2.0)"))
    code, out, err = ablation(folder, "run", "small")
    assert (code, out) == (2, "")
    assert "experiments/small.py:7: SGD: lr = -1: must be above 0" in err
    assert "experiments/small.py:7: SGD has no field 'momentun'; did you mean 'momentum'?" in err
    assert "RandomResizedCrop: scale = (0.5, 2.0): must be above 0 and at most 1" in err
    assert "baseline = 'nome' is not one of the recipes; did you mean 'none'? (none, crop)" in err
    file.write_text(text.replace("SGD", "SDG"))
    code, _, err = ablation(folder, "run", "small")
    assert code == 2
    assert "experiments/small.py:3: ablation has no 'SDG'; did you mean 'SGD'?" in err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"crop": (', '"none": (', "small.py:6: the name 'none' is given again, after line 6"),
        ("experiment = ", "exit(0)\nexperiment = ", "small.py:4: SystemExit: 0"),
        ('name="small"', 'name="' + "x" * 300 + '"', "use at most 200 letters"),
        ("seeds=3", "seeds=3, exclude=({'recipe': 'none'},)", "exclude drops every cell of the baseline 'none'"),
        ("seeds=3", "seeds=3, vary={'dropout': (0, 0.0)}", "a value is given twice"),
        ("(RandomResizedCrop(scale=(0.5, 1.0)),)", "RandomResizedCrop()", "a recipe of one operation needs a comma"),
        ("seeds=3", "seeds=0", "seeds = 0: must be at least 1"),
        ("seeds=3", "seeds=True", "seeds = True: expected a whole number"),
        ('model="shallow_cnn"', 'model="resnet5"', "model = 'resnet5' is unknown; did you mean 'resnet50'?"),
    ],
)
def test_one_mistake_gives_one_clear_error(old, new, sentence, folder):
    file = folder / "experiments" / "small.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    code, out, err = ablation(folder, "run", "small")
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1
    assert not (folder / "runs").exists()


def test_a_file_that_cannot_be_written_is_an_error_not_a_traceback(folder):
    code, _, err = ablation(folder, "compare", "small", "--csv", "/proc/none/effects.csv")
    assert code == 1
    assert err.startswith("error: /proc/none")
    assert "Traceback" not in err


@pytest.fixture
def photographs(folder):
    """Twelve images of two classes in a list; the experiment uses it."""
    for row in range(12):
        Image.new("RGB", (12, 10), (20 * row, 5, 100)).save(folder / f"{row}.png")
    (folder / "list.txt").write_text("".join(f"{row}.png\t{row % 2}\n" for row in range(12)))
    write_experiment(folder, data="__import__('ablation').ListFile('list.txt')")
    return folder


def nothing_written(folder):
    return not list(folder.glob("runs/**/*.json")) and not list(folder.glob("cache/**/images.npy"))


def test_a_missing_image_is_named_with_its_line(photographs):
    (photographs / "7.png").unlink()
    code, _, err = ablation(photographs, "run", "small")
    assert code == 3
    assert re.search(r"list\.txt:8: .*7\.png", err)
    assert nothing_written(photographs)


def test_an_image_that_cannot_be_decoded_is_named(photographs):
    whole = (photographs / "3.png").read_bytes()
    (photographs / "3.png").write_bytes(whole[: len(whole) // 2])
    code, _, err = ablation(photographs, "run", "small")
    assert code == 3
    assert "3.png" in err
    assert "cannot be decoded" in err
    assert nothing_written(photographs)


def test_a_class_with_one_image_is_named(photographs):
    with (photographs / "list.txt").open("a") as file:
        file.write("lonely.png\t2\n")
    shutil.copy(photographs / "0.png", photographs / "lonely.png")
    code, _, err = ablation(photographs, "run", "small")
    assert code == 3
    assert "(class 2 (2) has 1)" in err
    assert nothing_written(photographs)


def test_an_empty_folder_is_named(folder):
    (folder / "photos").mkdir()
    write_experiment(folder, data="__import__('ablation').ImageFolder('photos')")
    code, _, err = ablation(folder, "run", "small")
    assert code == 3
    assert "photos" in err
    assert nothing_written(folder)


def test_every_command_shows_an_example(folder):
    of_all = ablation(folder, "--help")[1]
    for command in COMMANDS:
        assert f"\n  {command} " in of_all
        code, out, _ = ablation(folder, command, "--help")
        assert code == 0
        assert f"Example:\n    ablation {command}" in out


def test_the_command_that_goes_on_is_broken_nowhere():
    arguments = ["run", "small", "--set", "split=Fixed(0.6, 0.2, 0.2)", "--set", "epochs=40"]
    again = "ablation run small --set 'split=Fixed(0.6, 0.2, 0.2)' --set epochs=40"
    whole = f"stopped; the same command goes on: {again}"
    assert _going_on("stopped", arguments, None) == _going_on("stopped", arguments, len(whole)) == whole
    assert _going_on("stopped", arguments, 80) == f"stopped; the same command goes on:\n  {again}"


def test_a_preview_is_a_picture_and_mistakes_are_told(folder):
    code, out, err = ablation(folder, "preview", "small")
    assert (code, out, err) == (0, "wrote reports/small-preview.png\n", "")
    with Image.open(folder / "reports" / "small-preview.png") as picture:
        width, height = picture.size
    Image.new("RGB", (30, 20), "red").save(folder / "red.jpg")
    options = ("--recipe", "crop", "--image", "red.jpg", "--out", "deep/one.png")
    assert ablation(folder, "preview", "small", *options)[:2] == (0, "wrote deep/one.png\n")
    with Image.open(folder / "deep" / "one.png") as picture:
        assert picture.width == width
        assert picture.height < height
    whole = (folder / "reports" / "small-preview.png").read_bytes()
    for options, name in (
        (("--recipe", "crop"), "small-preview-crop.png"),
        (("--recipe", "crop", "--image", "red.jpg"), "small-preview-crop-red.png"),
    ):
        assert ablation(folder, "preview", "small", *options)[:2] == (0, f"wrote reports/{name}\n")
    assert (folder / "reports" / "small-preview.png").read_bytes() == whole, "a part replaces no whole"
    code, _, err = ablation(folder, "preview", "small", "--recipe", "corp")
    assert (code, err) == (2, "error: small has no recipe 'corp'; did you mean 'crop'? (none, crop)\n")
    code, _, err = ablation(folder, "preview", "small", "--image", "absent.jpg")
    assert (code, err) == (3, "error: absent.jpg: cannot be read: No such file or directory\n")
    assert not (folder / "runs").exists()
