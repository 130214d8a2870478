"""`ablation check` and `ablation cache`, as a person types them: what is printed, written, and the exit status."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import ablation
from faults import record_fault
from PIL import Image
from project import write_experiment

from ablation.data import Digits, ImageFolder, Subset, build, listing, readers

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"


def draw(path: Path, number: int, **options: object) -> None:
    """A picture of its own for each number, smooth enough for a perceptual hash to tell it from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = np.random.Generator(np.random.Philox(number)).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(grid).resize((80, 72), Image.Resampling.BICUBIC).save(path, **options)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of twelve."""
    for number in range(24):
        draw(tmp_path / "photos" / ("tabby", "calico")[number % 2] / f"{number}.png", number)
    return tmp_path / "photos"


@pytest.mark.usefixtures("photos")
def test_a_check_is_a_screen_a_page_and_json(tmp_path):
    ended = ablation(tmp_path, "check", "photos")
    assert (ended.code, ended.err) == (0, "")
    assert "ready to be used" in ended.out
    assert re.search(r"calico\s+12\s+█", ended.out)
    result = json.loads((tmp_path / "reports" / "photos" / "check.json").read_text("utf-8"))
    assert result["classes"] == {"calico": 12, "tabby": 12}
    assert f"mean=[{', '.join(f'{channel:.4f}' for channel in result['mean'])}]" in ended.out
    page = (tmp_path / "reports" / "photos" / "check.html").read_text("utf-8")
    assert "calico" in page
    assert 'src="http' not in page
    assert len(ended.out.splitlines()) < 40


def test_bad_files_are_told_in_one_list_with_exit_status_3_and_can_be_left_out(photos, tmp_path):
    whole = (photos / "tabby" / "0.png").read_bytes()
    (photos / "tabby" / "half.png").write_bytes(whole[: len(whole) // 2])
    (photos / "calico" / "404.jpg").write_bytes(b"<!DOCTYPE html><title>404</title>")
    (photos / "calico" / "lfs.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    ended = ablation(tmp_path, "check", "photos", "--out", "here")
    assert ended.code == 3
    assert "3 files of 27 cannot be used" in ended.out
    assert f"{photos / 'tabby' / 'half.png'}: cannot be decoded: " in ended.out
    assert f"{photos / 'calico' / '404.jpg'}: cannot be decoded: an HTML page" in ended.out
    result = json.loads((tmp_path / "here" / "check.json").read_text("utf-8"))
    assert [Path(bad["file"]).name for bad in result["bad"]] == ["404.jpg", "lfs.jpg", "half.png"]
    assert result["stops_a_run"] is True
    ended = ablation(tmp_path, "check", "photos", "--skip-bad")
    assert ended.code == 0
    assert "3 files of 27 left out, as requested" in ended.out


EXPERIMENT = """
from ablation import *
experiment = Experiment(
    name="few", data=SkipBad(ImageFolder("photos")), model="shallow_cnn", image_size=16, epochs=1, batch_size=4,
    recipes={"none": (), "crop": (RandomResizedCrop(),)}, optimizers={"sgd": SGD(lr=0.01)}, seeds=3, baseline="none",
    vary={"train_size": {"one": TrainSize(1), "all": None}}, split=Redrawn(0.3, 0.1, 0.3),
)
"""


def test_every_table_says_how_many_files_were_left_out(photos, tmp_path):
    (photos / "tabby" / "broken.png").write_bytes(b"")
    (tmp_path / "few.py").write_text(EXPERIMENT)
    for command in (["plan"], ["run", "--no-tracking"], ["status"], ["compare"], ["report", "--no-pdf"]):
        ended = ablation(tmp_path, *command, "few.py")
        assert ended.code == 0, ended.err
        shown = ended.out + ended.err
        if command[0] == "report":
            shown = (tmp_path / "reports" / "few" / "report.html").read_text("utf-8")
            assert "1 file that cannot be used" in shown
        assert "1 file of the data cannot be used and is left out" in shown
        if command[0] == "plan":
            assert "24 images of 2 classes: 2 to 8 to train on, 2 to validate, 8 to test" in shown


def test_a_leak_between_parts_is_an_error(tmp_path):
    for number in range(24):
        part, label = ("train", "test")[number // 20], "ab"[number % 2]
        draw(tmp_path / "d" / part / label / f"{number}.png", number)
    draw(tmp_path / "d" / "test" / "a" / "leak.jpg", 0, quality=70)
    ended = ablation(tmp_path, "check", "d")
    assert ended.code == 3
    assert "1 group of the same picture in different parts" in ended.out
    (tmp_path / "d" / "test" / "a" / "leak.jpg").unlink()
    assert ablation(tmp_path, "check", "d").code == 0


@pytest.mark.usefixtures("photos")
def test_what_is_asked_wrongly_is_told(tmp_path):
    ended = ablation(tmp_path, "check", "foto")
    assert ended.code == 2
    assert "'foto' is no folder or file" in ended.err
    assert "did you mean 'photos'?" in ended.err
    assert not (tmp_path / "reports").exists()
    ended = ablation(tmp_path, "check", "digits", "--outside")
    assert ended.code == 2
    assert "--outside means nothing for Digits" in ended.err
    (tmp_path / "flat").mkdir()
    ended = ablation(tmp_path, "check", "flat")
    assert ended.code == 3
    assert "has no class folders" in ended.err


def test_the_data_of_an_experiment_is_checked_by_its_name(tmp_path):
    (tmp_path / "experiments").mkdir()
    for name in ("quickstart.py",):
        (tmp_path / "experiments" / name).write_text((ROOT / "experiments" / name).read_text("utf-8"))
    ended = ablation(tmp_path, "check", "quickstart")
    assert (ended.code, ended.err) == (0, "")
    assert "quickstart: ready to be used" in ended.out
    assert (tmp_path / "reports" / "quickstart-check" / "check.html").exists()


def test_caches_are_listed_and_removed(photos, tmp_path):
    root = tmp_path / "cache"
    assert "nothing is cached in cache" in ablation(tmp_path, "cache", "ls").out
    small = build(listing(Subset(Digits(), 2), root), 8, root)
    other = build(listing(ImageFolder(str(photos)), root), 16, root)
    ended = ablation(tmp_path, "cache", "ls").out
    assert re.search(rf"{small.digest}-8\s+20\s+8\s", ended)
    assert re.search(rf"{other.digest}-16\s+24\s+16\s", ended)
    for wrong, why in ((["zz"], "no cache is called 'zz'"), ([""], "no cache is called ''"), ([], "or --all")):
        mistaken = ablation(tmp_path, "cache", "rm", *wrong)
        assert mistaken.code == 2
        assert why in mistaken.err
    held = other.images[3].copy()
    assert ablation(tmp_path, "cache", "rm", other.digest[:6]).code == 0
    assert np.array_equal(other.images[3], held)  # who has it open keeps it
    assert not (root / f"{other.digest}-16").exists()
    assert (root / f"{small.digest}-8").exists()
    ended = ablation(tmp_path, "cache", "rm", "--all")
    assert f"removed {small.digest}-8" in ended.out
    assert not [path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_removing_caches_removes_nothing_else(tmp_path):
    keep = [tmp_path / "w" / "my-notes" / "thesis.txt", tmp_path / "w" / "traits" / "phenotypes.csv"]
    for path in keep:
        path.parent.mkdir(parents=True)
        path.write_text("years of work")
    (tmp_path / "w" / "my-notes" / "meta.json").write_text(json.dumps({"names": [], "size": 3}))
    listing(Subset(Digits(), 2), tmp_path / "w")
    ended = ablation(tmp_path, "cache", "rm", "--all", "--cache", "w")
    assert ended.code == 0
    assert "removed traits" in ended.out
    assert all(path.read_text() == "years of work" for path in keep)
    assert not list((tmp_path / "w" / "traits").glob("*.npz"))


def test_odd_places_are_checked_like_others(photos, tmp_path):
    odd = tmp_path / os.fsdecode(b"pho\xfftos")
    photos.rename(odd)
    ended = ablation(tmp_path, "check", str(odd), "--out", "o")
    assert (ended.code, ended.err) == (0, "")
    assert r"pho\xfftos: ready to be used" in ended.out
    names = sorted(odd.rglob("*.png"))
    (tmp_path / "l").mkdir()
    shutil.copytree(odd, tmp_path / "l" / "in")
    lines = [f"in/{path.relative_to(odd)}\t{index % 2}" for index, path in enumerate(names)]
    for index in range(2):
        draw(tmp_path / f"far{index}.png", 77 + index)
        lines.append(f"{tmp_path}/far{index}.png\t0")
    (tmp_path / "l" / "list.txt").write_text("\n".join(lines))
    ended = ablation(tmp_path, "check", "l/list.txt", "--outside")
    assert (ended.code, ended.err) == (0, "")


def test_a_link_out_of_the_data_names_the_option_as_it_is_spelt_where_it_is_given(photos, tmp_path):
    """Each remedy is taken, and works: the option of the command, and the argument in the experiment's file."""
    secret = tmp_path / "secret.png"
    draw(secret, 99)
    (photos / "tabby" / "linked.png").symlink_to(secret)
    (tmp_path / "list.txt").write_text("")
    refused = ablation(tmp_path, "check", "photos")
    assert (refused.code, "outside=True" in refused.err) == (3, False)
    assert f"linked.png: a link that leads out of the data (to {secret}); --outside allows it" in refused.err
    assert ablation(tmp_path, "check", "photos", "--outside").code == 0

    write_experiment(tmp_path, "ImageFolder('photos')")
    file = tmp_path / "experiments" / "small.py"
    file.write_text(file.read_text().replace("import Adam,", "import Adam, ImageFolder,"))
    for command in (("check", "small"), ("run", "small", "--no-tracking")):
        refused = ablation(tmp_path, *command)
        assert (refused.code, "--outside" in refused.err) == (3, False)
        assert f"(to {secret}); outside=True allows it" in refused.err
    file.write_text(file.read_text().replace("ImageFolder('photos')", "ImageFolder('photos', outside=True)"))
    allowed = ablation(tmp_path, "check", "small")
    assert (allowed.code, allowed.err) == (0, "")
    record_fault(
        "safety",
        "a link out of the data, on a command line and in an experiment's file",
        3,
        "the option is named as it is spelt there, and works",
        "--outside allows it; outside=True allows it",
    )


def test_a_check_that_fails_leaves_no_page_that_says_all_is_well(photos, tmp_path):
    assert ablation(tmp_path, "check", "photos").code == 0
    for path in (photos / "tabby").iterdir():
        path.unlink()
    assert ablation(tmp_path, "check", "photos").code == 3
    assert not (tmp_path / "reports" / "photos" / "check.html").exists()
    assert not (tmp_path / "reports" / "photos" / "check.json").exists()


def test_a_check_overwrites_no_check_of_other_data(tmp_path):
    for folder, first in (("a", 0), ("b", 100)):
        for number in range(26):
            draw(tmp_path / folder / "train" / "xy"[number % 2] / f"{number}.png", first + number)
    outs = [ablation(tmp_path, "check", f"{folder}/train").out for folder in ("a", "b", "a", "b")]
    assert [re.findall(r"wrote (\S+) and", out) for out in outs] == 2 * [
        ["reports/train/check.html"],
        ["reports/b-train/check.html"],
    ]
    first, other = (json.loads((tmp_path / f"reports/{name}/check.json").read_text()) for name in ("train", "b-train"))
    assert (first["source"], other["source"]) == ("ImageFolder(path='a/train')", "ImageFolder(path='b/train')")
    for path in (tmp_path / "b" / "train" / "x").iterdir():
        path.unlink()
    assert ablation(tmp_path, "check", "b/train").code == 3
    assert not (tmp_path / "reports" / "b-train" / "check.json").exists()
    assert (tmp_path / "reports" / "train" / "check.json").exists()


def test_what_systems_put_beside_photographs_is_passed_over_and_counted_once(photos, tmp_path):
    before = ablation(tmp_path, "check", "photos", "--out", "before")
    for name in ("Thumbs.db", "tabby/Thumbs.db", "calico/desktop.ini", "tabby/@eaDir/0.png", "__MACOSX/tabby/._0.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"x")
    draw(tmp_path / "photos" / "tabby" / ".ipynb_checkpoints" / "0-checkpoint.png", 0)
    ended = ablation(tmp_path, "check", "photos")
    assert ended.code == 0
    assert ended.out.count("passed over") == 1
    flat = re.sub(r"\s+", " ", ended.out)
    said = re.search("6 hidden or system entries passed over: ([^·]+?) [·!]", flat)
    assert said is not None, flat
    assert {*said[1].split(", ")} == {"Thumbs.db (2)", "desktop.ini", "@eaDir", "__MACOSX", ".ipynb_checkpoints"}
    assert "passed over" not in before.out
    digests = [
        json.loads((tmp_path / name / "check.json").read_text())["digest"] for name in ("before", "reports/photos")
    ]
    assert digests[0] == digests[1]


def test_the_sizes_that_are_named_are_those_of_photographs(photos, tmp_path):
    draw(photos / "tabby" / "tall.png", 90)
    Image.open(photos / "tabby" / "tall.png").resize((40, 300)).save(photos / "tabby" / "tall.png")
    Image.open(photos / "tabby" / "tall.png").resize((200, 30)).save(photos / "calico" / "wide.png")
    Image.open(photos / "tabby" / "tall.png").resize((50, 60)).save(photos / "calico" / "least.png")
    out = re.sub(r"\s+", " ", ablation(tmp_path, "check", "photos").out)
    assert "80 x 72 (median width x height), smallest 50 x 60, largest 40 x 300" in out


def test_ctrl_c_while_reading_ends_with_130_and_keeps_what_was_read(photos, tmp_path, environment):
    os.mkfifo(photos / "tabby" / "waits.png")
    command = [sys.executable, "-m", "ablation.cli", "check", "photos"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    threads, started = Path(f"/proc/{process.pid}/task"), time.monotonic()
    while threads.exists() and time.monotonic() - started < 20:
        if any(children.read_text() for children in threads.glob("*/children")):
            break
        time.sleep(0.05)
    time.sleep(1)  # by now the reader waits for the pipe, and has read what stands before it
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped; the same command goes on: ablation check photos" in out
    assert list((tmp_path / "cache" / "traits").glob("*.npz"))


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_the_cats_are_checked_and_again_without_reading_them(tmp_path, cache, monkeypatch):
    command = ("check", str(CATS / "train_list.txt"), "--cache", str(cache))
    first = ablation(tmp_path, *command)
    assert (first.code, first.err) == (0, "")
    monkeypatch.setattr(readers, "_Reader", None)  # nothing is read again
    assert ablation(tmp_path, *command) == first
    assert "the classes are perfectly balanced, 180 images of each" in first.out
    assert "9 files with an ending that lies" in first.out
    assert "Normalize(mean=[0.4848, 0.4435, 0.4024], std=[0.2751, 0.2696, 0.2760])" in first.out
    assert "32 groups of the same picture within a class: 17 of exact copies and 15 of near-duplicates" in first.out
