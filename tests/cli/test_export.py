"""An evidence pack: the same bytes for the same runs, verified by a stranger without images, code or trust."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import forged
import numpy as np
import pandas as pd
import pytest
from commands import ablation
from test_verify import run_folder, words

from ablation.core.archive import write_zip
from ablation.core.errors import DataError
from ablation.core.values import unchecked
from ablation.experiment.record import ARRAYS_FILE, read_record
from ablation.experiment.spec import resolver
from ablation.experiment.unpack import _hold_to_grid
from ablation.models.weights_file import PREFIX


@pytest.fixture(scope="module")
def packed(reported, tmp_path_factory) -> Path:
    """A pack in a folder without anything else, not to be changed."""
    target = tmp_path_factory.mktemp("packed") / "small.zip"
    code, out, err = ablation(reported, "export", "small", "--to", str(target))
    assert (code, err) == (0, "")
    assert re.search(r"wrote .*small\.zip: 6 runs and the report, [\d.]+ [kM]B", words(out))
    assert f"SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()}" in out
    return target


@pytest.fixture
def unpacked(packed, tmp_path) -> Path:
    """The pack as a folder."""
    shutil.unpack_archive(packed, tmp_path / "pack")
    return tmp_path / "pack"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sealed_anew(folder: Path) -> None:
    """pack.json fits what lies there now."""
    held = json.loads((folder / "pack.json").read_text("utf-8"))
    held["files"] = {
        name: hashlib.sha256(content).hexdigest() for name, content in contents(folder).items() if name != "pack.json"
    }
    (folder / "pack.json").write_text(json.dumps(held), "utf-8")


def test_it_holds_what_the_readme_says_and_is_the_same_each_time(packed, reported, unpacked, tmp_path):
    ablation(reported, "export", "small", "--to", str(tmp_path / "again.zip"))
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    assert ablation(reported, "export", "small", "--to", str(tmp_path / "folder")).code == 0
    files = contents(unpacked)
    assert contents(tmp_path / "folder") == files
    assert {name for name in files if "/" not in name} == {
        "README.md", "pack.json", "experiment.json", "experiment.py", "data.csv", "splits.csv", "environment.txt",
    }  # fmt: skip
    for run in (reported / "runs" / "small").glob("*/record.json"):
        for name in ("record.json", "arrays.npz", "spec.json", "journal.jsonl"):
            assert files[f"runs/small/{run.parent.name}/{name}"] == (run.parent / name).read_bytes()
    assert files["report/report.html"] == (reported / "reports" / "small" / "report.html").read_bytes()
    assert not any("worker" in name or "lock" in name for name in files)
    readme = files["README.md"].decode()
    assert "ablation verify PACK\n" in readme
    assert "ablation verify PACK --retrain any --data" in readme
    assert all(f"`{name}`" in readme for name in ("data.csv", "splits.csv", "environment.txt", "pack.json"))
    assert re.search(r"^torch==", files["environment.txt"].decode(), re.MULTILINE)


def test_its_tables_say_which_image_is_in_which_part(unpacked):
    data, splits = pd.read_csv(unpacked / "data.csv"), pd.read_csv(unpacked / "splits.csv")
    assert len(data) == len(splits) == 1797
    assert data["content"].str.fullmatch("[0-9a-f]{32}").all()
    for path in unpacked.glob("runs/small/*/record.json"):
        split = splits[read_record(path.parent).evidence["split"]]
        with np.load(path.with_name(ARRAYS_FILE)) as arrays:
            np.testing.assert_array_equal(arrays["sample"], np.flatnonzero(split == "test"))
            np.testing.assert_array_equal(arrays["label"], data["label"][arrays["sample"]])
            np.testing.assert_array_equal(np.sort(arrays["train_sample"]), np.flatnonzero(split == "train"))


def test_a_stranger_verifies_it_without_images_torch_or_mlflow(packed, unpacked, environment):
    """In an empty folder; with the zip, and with the folder of it."""
    blocked = "import sys; sys.modules.update(torch=None, torchvision=None, mlflow=None, joblib=None)\n"
    for name in (packed, unpacked):
        script = (
            f"{blocked}sys.argv = ['ablation', 'verify', {str(name)!r}]\nfrom ablation.cli.main import main; main()"
        )
        home = packed.parent / "empty"
        home.mkdir(exist_ok=True)
        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert re.search(r"All [\d,]+ numbers are as recomputed, and all \d+ files as they were written", ended.stdout)
        assert not list(home.iterdir()), "no cache, no reports"
        shown = f"SHA-256 of small.zip: {hashlib.sha256(packed.read_bytes()).hexdigest()}"
        assert (shown in ended.stdout) == (name is packed)


def test_one_byte_of_the_zip_is_another(packed, tmp_path):
    """Within files of each kind, and in what the zip says of them."""
    whole, positions = packed.read_bytes(), []
    with ZipFile(packed) as archive:
        for info in archive.infolist():
            positions.append(info.header_offset + 30 + len(info.filename) + info.file_size // 2)
    for position in (*positions[:: max(1, len(positions) // 8)], 10, len(whole) - 3, len(whole) - 60):
        other = tmp_path / f"{position}.zip"
        other.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        code, out, err = ablation(tmp_path, "verify", str(other))
        assert code in (1, 3), position
        assert "is damaged or no zip" in err or "is not as it was packed" in out or "error" in err, position


@pytest.mark.parametrize("name", ["experiment.json", "data.csv", "report/more"])
def test_a_pack_with_a_pipe_in_it_is_refused_and_not_waited_for(unpacked, name):
    (unpacked / name).unlink(missing_ok=True)
    os.mkfifo(unpacked / name)
    ended = ablation(unpacked.parent, "verify", "pack")
    assert ended.code == 3
    assert f"error: pack/{name}: is no file, and a pack has nothing else" in ended.err


def test_a_file_that_is_changed_missing_or_new_is_named(unpacked):
    folder = run_folder(unpacked)
    forged.edit_accuracy(folder)
    (unpacked / "report" / "report.html").unlink()
    (unpacked / "report" / "other.html").write_text("new")
    code, out, _ = ablation(unpacked.parent, "verify", "pack")
    assert code == 1
    assert f"runs/small/{folder.name}/record.json: is not what pack.json says" in words(out)
    assert "report/report.html: is missing" in words(out)
    assert "report/other.html: is not in pack.json" in words(out)
    assert re.search(r"accuracy: 0\.999 in the record, 0\.\d+ from the logits", words(out))


FORGERIES = {
    "record": (forged.edit_accuracy_and_digest, r"record\.json is not what training left"),
    "predictions": (forged.replace_predictions_and_digest, r"arrays\.npz|record\.json is not what training left"),
    "older": (lambda folder: [forged.make_older(folder), forged.edit_accuracy(folder)], r"0\.999 in the record"),
}


@pytest.mark.parametrize(("forge", "found"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_found_though_the_pack_fits(unpacked, tmp_path, forge, found):
    forge(run_folder(unpacked))
    sealed_anew(unpacked)
    write_zip(tmp_path / "forged.zip", contents(unpacked))
    code, out, _ = ablation(tmp_path, "verify", "forged.zip")
    assert code == 1
    assert re.search(found, words(out))


def test_another_split_or_label_is_found_though_the_pack_fits(unpacked):
    data = (unpacked / "data.csv").read_text("utf-8").splitlines(keepends=True)
    row = data[5].split(",")
    data[5] = ",".join([*row[:3], "1", "1", *row[5:]] if row[3] != "1" else [*row[:3], "2", "2", *row[5:]])
    (unpacked / "data.csv").write_text("".join(data), "utf-8")
    sealed_anew(unpacked)
    code, out, _ = ablation(unpacked.parent, "verify", "pack")
    assert code == 1
    assert re.search(r"data\.csv: is of the data [0-9a-f]{16}, and runs are of [0-9a-f]{16}", words(out))


def test_an_edited_page_is_found_though_the_pack_and_the_evidence_fit(unpacked):
    """Without the images too: the page is made anew, but for its photographs."""
    page = unpacked / "report" / "report.html"
    text = page.read_text("utf-8")
    assert "Does cropping help?" in text
    page.write_text(text.replace("Does cropping help?", "Cropping helps!", 1), "utf-8")
    sealed_anew(unpacked)
    code, out, _ = ablation(unpacked.parent, "verify", "pack")
    assert (code, "report.html: was changed" in words(out)) == (1, True)
    assert re.search(r"report\.html: line [\d,]+: .*Cropping helps!", words(out))


def test_nothing_in_a_pack_is_run(unpacked, tmp_path):
    (unpacked / "experiment.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    form = json.loads((unpacked / "experiment.json").read_text("utf-8"))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef change(x, g): return x\n")
    function = {
        "value": "ImageFunction",
        "fields": {"function": "mine.py:change", "arguments": {"dict": []}, "source": "0"},
    }
    recipes = next(pair[1] for pair in [["", form["experiment"]["fields"]["recipes"]]])
    recipes["dict"].append(["own", {"tuple": [function]}])
    (unpacked / "experiment.json").write_text(json.dumps(form), "utf-8")
    sealed_anew(unpacked)
    ablation(tmp_path, "verify", "pack")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_pack_is_one_clear_error(unpacked, tmp_path):
    def error(name: str = "pack") -> str:
        code, _, err = ablation(tmp_path, "verify", name)
        assert code == 3
        return words(err)

    (tmp_path / "text.zip").write_text("no zip")
    assert "text.zip is damaged or no zip" in error("text.zip")
    held = (unpacked / "pack.json").read_text("utf-8")
    for edited, message in (
        ("{", "pack.json of the pack cannot be read"),
        ("[]", "holds no dict"),
        (held.replace('"format": 1', '"format": 9'), "has the format 9, and 1 is known"),
        (held.replace('"data.csv"', '"../data.csv"'), "'../data.csv' is no name of a file in a pack"),
        (held.replace('"experiment": "small"', '"experiment": ".."'), "is no name of a folder"),
        (held.replace('"left_out": 0', '"left_out": -5'), "left_out: must be at least 0"),
    ):
        (unpacked / "pack.json").write_text(edited, "utf-8")
        assert message in error()
    (unpacked / "pack.json").write_text(held, "utf-8")
    for name in ("data.csv", "experiment.json"):
        whole = (unpacked / name).read_bytes()
        (unpacked / name).write_bytes(whole[: len(whole) // 2 + 3])
        assert f"{name} of the pack cannot be read" in error()
        (unpacked / name).unlink()
        assert name in error()
        (unpacked / name).write_bytes(whole)


def test_arrays_that_would_fill_the_memory_are_refused(unpacked, monkeypatch):
    monkeypatch.setattr("ablation.experiment.unpack.MOST_UNPACKED", 1 << 20)
    folder = run_folder(unpacked)
    with np.load(folder / ARRAYS_FILE) as stored:
        arrays = dict(stored)
    np.savez_compressed(
        folder / ARRAYS_FILE, **arrays | {"features": np.zeros((len(arrays["label"]), 4096), np.float32)}
    )
    code, _, err = ablation(unpacked.parent, "verify", "pack")
    assert (code, f"{folder.name}/arrays.npz would take" in words(err)) == (3, True)


def test_one_run_is_trained_again_from_the_images(packed, tmp_path):
    code, out, err = ablation(tmp_path, "verify", str(packed), "--retrain", "any")
    assert (code, err) == (0, "")
    assert re.search(r"trained again, bit for bit +1 run", out)


def test_other_images_are_refused_and_a_strangers_code_too(packed, unpacked, tmp_path, monkeypatch):
    form = json.loads((unpacked / "experiment.json").read_text("utf-8"))
    form["experiment"]["fields"]["data"] = {
        "value": "Subset",
        "fields": {"source": {"value": "Digits", "fields": {}}, "per_class": 20},
    }
    (unpacked / "experiment.json").write_text(json.dumps(form), "utf-8")
    sealed_anew(unpacked)
    code, _, err = ablation(tmp_path, "verify", "pack", "--retrain", "any")
    assert code == 2
    assert re.search(r"the images here are the data [0-9a-f]{16}, and the pack is of [0-9a-f]{16}", words(err))
    monkeypatch.setattr("ablation.cli.verify.own_code", lambda experiment, specs: ("mine.py:change",))
    code, _, err = ablation(tmp_path, "verify", str(packed), "--retrain", "any")
    assert (code, "code that the pack names (mine.py:change): read it first, then --trust" in words(err)) == (2, True)
    assert ablation(tmp_path, "verify", str(packed), "--retrain", "any", "--trust").code == 0


def swapped(form: dict) -> None:
    """The results of each recipe stand for the other."""
    other = {"none": "crop", "crop": "none"}
    for cell in form["cells"]:
        cell["factors"]["recipe"] = other.get(cell["factors"]["recipe"], cell["factors"]["recipe"])


def without_factors(form: dict) -> None:
    for cell in form["cells"]:
        cell["factors"] = {}


GRIDS = {
    "recipes swapped": (swapped, r"cell 1 \(\w+, sgd, seed 0\) is not what its experiment gives there"),
    "seeds cut": (lambda form: form["cells"].pop(), r"has 5 cells, and its experiment 6"),
    "another seed": (lambda form: form["cells"][0].update(seed=100), r"cell 1 \(none, sgd, seed 100\) is not what"),
    "no factors": (without_factors, r"cell 1 \(seed 0\) is not what its experiment gives there"),
    "another experiment": (lambda form: form["experiment"]["fields"].update(epochs=3), r"cell 1 .* is not what"),
    "no baseline": (lambda form: form["experiment"]["fields"].update(baseline="x"), r"baseline 'x' is none of its"),
    "no recipes": (lambda form: form["experiment"]["fields"].update(recipes={"dict": []}), r"is none of its recipes"),
    "seeds without end": (lambda form: form["experiment"]["fields"].update(seeds=10**9), r"more than 1,000,000 cells"),
}


@pytest.mark.parametrize(("edit", "message"), GRIDS.values(), ids=GRIDS)
def test_the_grid_is_held_to_the_experiment(unpacked, edit, message):
    form = json.loads((unpacked / "experiment.json").read_text("utf-8"))
    edit(form)
    (unpacked / "experiment.json").write_text(json.dumps(form), "utf-8")
    sealed_anew(unpacked)
    code, _, err = ablation(unpacked.parent, "verify", "pack")
    assert (code, bool(re.search(message, words(err))), "Traceback" in err) == (3, True, False), err


def test_a_pack_that_lacks_records_is_not_as_recomputed_in_silence(unpacked):
    folder = run_folder(unpacked)
    (folder / "record.json").unlink()
    sealed_anew(unpacked)
    code, out, err = ablation(unpacked.parent, "verify", "pack")
    assert (code, "differ; 1 of 6 runs without a record; the pages" in words(out)) == (1, True)
    assert "1 of 6 runs interrupted: in no mean and no test." in words(err)
    for record in unpacked.glob("runs/*/*/record.json"):
        record.unlink()
    sealed_anew(unpacked)
    code, _, err = ablation(unpacked.parent, "verify", "pack")
    assert (code, "no run of small has finished in pack: there is nothing to verify" in words(err)) == (2, True)


def test_networks_and_weights_of_ones_own_stand_in_the_grid_of_a_pack(tiny):
    """Neither is in the pack: their digests are believed, one for each."""
    weights, source = PREFIX + "1" * 64, "2" * 16
    plain = replace(tiny, vary={"weights": ("mine.pt", None)})
    cells = plain.cells("0" * 16, resolver(lambda model: source, lambda path, model: weights if path else None))
    with unchecked():
        _hold_to_grid(plain, cells)
        object.__setattr__(plain, "model", "mine:network")
        cells = plain.cells("0" * 16, resolver(lambda model: source, lambda path, model: weights if path else None))
        assert {cell.spec.model_source for cell in cells} == {source}
        _hold_to_grid(plain, cells)
        for other in ({"weights": PREFIX + "3" * 64}, {"model_source": "4" * 16}):
            last = max(number for number, cell in enumerate(cells) if cell.spec.weights)
            edited = list(cells)
            edited[last] = replace(cells[last], spec=replace(cells[last].spec, **other))
            with pytest.raises(DataError, match=f"cell {last + 1} .* is not what its experiment gives"):
                _hold_to_grid(plain, edited)


@pytest.mark.parametrize("field", ["corrupt", "recipes"])
def test_a_strangers_function_is_not_loaded_wherever_it_stands(unpacked, tmp_path, field):
    """What changes test images is part of the experiment, and of no spec."""
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef change(x, g): return x\n")
    form = json.loads((unpacked / "experiment.json").read_text("utf-8"))
    function = {
        "value": "ImageFunction",
        "fields": {"function": "mine.py:change", "arguments": {"dict": []}, "source": "0"},
    }
    form["experiment"]["fields"][field].setdefault("dict", []).append(["own", {"tuple": [function]}])
    if field == "recipes":
        form["experiment"]["fields"]["exclude"] = {"tuple": [{"dict": [["recipe", "own"]]}]}
    (unpacked / "experiment.json").write_text(json.dumps(form), "utf-8")
    sealed_anew(unpacked)
    code, _, err = ablation(tmp_path, "verify", "pack", "--retrain", "any")
    assert (code, "code that the pack names (mine.py:change): read it first, then --trust" in words(err)) == (2, True)
    assert not (tmp_path / "ran").exists()


def test_no_file_but_those_of_the_report_is_packed(reported, tmp_path):
    """Whatever the evidence names, and whatever a link in its folder leads to."""
    project = shutil.copytree(reported, tmp_path / "project")
    secret, file = tmp_path / "secret.txt", project / "reports" / "small" / "evidence.json"
    secret.write_text("mine")
    whole = json.loads(file.read_text("utf-8"))
    for name in (str(secret), "../../../secret.txt"):
        file.write_text(json.dumps(whole | {"files": {name: "0"}}), "utf-8")
        for target in ("p.zip", "p"):
            code, _, err = ablation(project, "export", "small", "--to", target)
            assert (code, f"evidence.json cannot be believed: it names '{name}'" in words(err)) == (2, True), err
        code, _, err = ablation(project, "verify", "small")
        assert (code, "evidence.json cannot be believed" in words(err)) == (2, True)
    file.write_text(json.dumps(whole | {"files": {"linked.txt": "0"}}), "utf-8")
    (file.parent / "linked.txt").symlink_to(secret)
    code, _, err = ablation(project, "export", "small", "--to", "p")
    assert (code, "lacks linked.txt" in words(err)) == (2, True)
    assert not (project / "p").exists()


def test_a_report_or_a_run_that_is_not_there(reported, tmp_path):
    shutil.copytree(reported, tmp_path / "project")
    shutil.rmtree(tmp_path / "project" / "reports")
    code, out, err = ablation(tmp_path / "project", "export", "small", "--to", "p.zip")
    assert (code, "6 runs, " in out) == (0, True)
    assert "there is no report in reports/small; `ablation report small` writes one" in words(err)
    assert ablation(tmp_path / "project", "verify", "p.zip").code == 0
    code, _, err = ablation(tmp_path / "project", "export", "small", "--to", "runs")
    assert (code, "runs is there and not empty" in words(err)) == (2, True)
    shutil.rmtree(tmp_path / "project" / "runs")
    code, _, err = ablation(tmp_path / "project", "export", "small", "--to", "p.zip")
    assert (code, "no run of small has finished" in words(err)) == (2, True)
