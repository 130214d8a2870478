"""What `ablation check` and `ablation plan` advise about data is typed, or written in the experiment, and works."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import ablation
from PIL import Image
from project import write_experiment


def draw(path: Path, number: int, **options: object) -> None:
    """A picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = np.random.Generator(np.random.Philox(number)).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(grid).resize((80, 72), Image.Resampling.BICUBIC).save(path, **options)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_train_and_val_alone_are_checked_planned_and_trained_as_advised(tmp_path):
    for number in range(48):
        part, label = ("train", "train", "val")[number // 2 % 3], "ab"[number % 2]
        draw(tmp_path / "d" / part / label / f"{number}.png", number)
    shutil.copy(tmp_path / "d" / "train" / "a" / "0.png", tmp_path / "d" / "val" / "a" / "again.png")
    checked = ablation(tmp_path, "check", "d")
    assert (checked.code, "d: ready to be used\n" in checked.out) == (0, True)
    advice = "split=Given(duplicates='drop', test='val')"
    assert f"{advice} keeps the parts" in plain(checked.out)
    assert "was trained on" not in checked.out

    file = write_experiment(tmp_path, "ImageFolder('d')", epochs=1)
    file.write_text(file.read_text().replace("import Adam,", "import Adam, Given, ImageFolder,"))
    planned = ablation(tmp_path, "plan", "small")
    assert f"the data has parts of its own, and this split draws others; {advice} keeps them" in plain(planned.out)
    file.write_text(re.sub(r"split=Fixed\(.*?\)", advice, file.read_text()))
    planned = ablation(tmp_path, "plan", "small")
    assert "49 images of 2 classes: 27 to train on, 4 to validate, 17 to test" in plain(planned.out)
    assert "draws others" not in planned.out
    assert ablation(tmp_path, "check", "small").code == 0
    assert ablation(tmp_path, "run", "small", "--no-tracking").code == 0


def test_an_experiments_check_is_beside_that_of_its_data(tmp_path):
    for number in range(40):
        draw(tmp_path / "d" / "ab"[number % 2] / f"{number}.png", number)
    file = write_experiment(tmp_path, "ImageFolder('d')")
    file.write_text(file.read_text().replace("import Adam,", "import Adam, ImageFolder,"))
    assert "wrote reports/d/check.html and check.json" in ablation(tmp_path, "check", "d").out
    before = (tmp_path / "reports" / "d" / "check.json").read_bytes()
    assert "wrote reports/small-check/check.html and check.json" in ablation(tmp_path, "check", "small").out
    assert (tmp_path / "reports" / "d" / "check.json").read_bytes() == before


def test_more_to_train_on_is_had_as_a_plan_advises(tmp_path):
    for number in range(60):
        draw(tmp_path / "d" / "ab"[number % 2] / f"{number}.png", number)
    file = write_experiment(tmp_path, "ImageFolder('d')")
    text = file.read_text().replace("import Adam,", "import Adam, ImageFolder, Redrawn,")
    file.write_text(re.sub(r"split=Fixed\(.*?\)", "split=Redrawn()", text))
    planned = plain(ablation(tmp_path, "plan", "small").out)
    advice = re.search(r"split=Fixed\([0-9., ]+\) trains on more", planned)
    assert advice is not None
    file.write_text(file.read_text().replace("split=Redrawn()", advice[0].removesuffix(" trains on more")))
    assert "60 images of 2 classes: 36 to train on" in plain(ablation(tmp_path, "plan", "small").out)


def test_columns_of_other_names_are_typed_as_advised(tmp_path):
    rows = []
    for number in range(26):
        draw(tmp_path / f"{number}.png", number)
        rows.append(f"{number}.png\t{('tabby', 'calico')[number % 2]}")
    for name in ("t.csv", "t.txt"):
        (tmp_path / name).write_text("\n".join(["file name\tclass", *rows]))
        refused = ablation(tmp_path, "check", name)
        assert refused.code == 3
        options = re.findall(r"--column (?:'([^']+)'|(\w+=\w+))", plain(refused.err))
        given = [part for option in options for part in ("--column", max(option))]
        assert given == ["--column", "path=file name", "--column", "label=class"], refused.err
        allowed = ablation(tmp_path, "check", name, *given)
        assert (allowed.code, allowed.err) == (0, "")
    mistaken = ablation(tmp_path, "check", "t.csv", "--column", "file=x")
    assert mistaken.code == 2
    assert "expected one of path=NAME, label=NAME, split=NAME, group=NAME" in mistaken.err


def test_an_animation_is_taken_by_the_option_that_is_named(tmp_path):
    for number in range(26):
        draw(tmp_path / "d" / "ab"[number % 2] / f"{number}.png", number)
    frames = [Image.open(tmp_path / "d" / "ab"[number % 2] / f"{number}.png") for number in range(2)]
    frames[0].rotate(30).save(tmp_path / "d" / "a" / "moves.gif", save_all=True, append_images=frames[1:])
    refused = ablation(tmp_path, "check", "d")
    assert refused.code == 3
    assert "take the first by --first-frame" in plain(refused.out)
    assert "first_frame=True" not in refused.out
    assert ablation(tmp_path, "check", "d", "--first-frame").code == 0
    assert ablation(tmp_path, "check", "d", "--skip-bad").code == 0


@pytest.mark.parametrize("bits", [12, 8, 3])
def test_files_of_few_bits_are_read_by_the_option_that_is_named(tmp_path, bits):
    white = 2**bits - 1
    for number in range(26):
        path = tmp_path / "d" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grid = np.random.Generator(np.random.Philox(number)).random((9, 9), dtype=np.float32)
        smooth = np.asarray(Image.fromarray(grid).resize((80, 72), Image.Resampling.BICUBIC)).clip(0, 1)
        Image.fromarray(np.round(smooth * white).astype(np.uint16)).save(path)
    warned = plain(ablation(tmp_path, "check", "d").out)
    left = round(white / 257) + 1
    assert f"none goes beyond {white:,} of 65,535: {left} of 256 grey levels are left, the darkest" in warned
    option = re.search(rf"--bit-depth (\d+) makes {white:,} white", warned)
    assert option is not None
    scaled = ablation(tmp_path, "check", "d", "--bit-depth", option[1])
    assert scaled.code == 0
    assert "grey levels are left" not in plain(scaled.out)
    refused = ablation(tmp_path, "check", "d", "--bit-depth", str(bits - 1))
    assert refused.code == 3
    assert f"with --bit-depth {bits - 1} white is {2 ** (bits - 1) - 1:,}" in plain(refused.out)
    too_many = plain(ablation(tmp_path, "check", "d", "--bit-depth", str(bits + 2)).out)
    assert f"none goes beyond {white:,} of {2 ** (bits + 2) - 1:,}" in too_many
    assert f"--bit-depth {bits} makes {white:,} white" in too_many


@pytest.mark.parametrize("wrong", ["0", "17", "x"])
def test_no_other_depth_is_allowed(tmp_path, wrong):
    refused = ablation(tmp_path, "check", ".", "--bit-depth", wrong)
    assert (refused.code, "--bit-depth" in refused.err) == (2, True)
