"""`ablation verify`: whatever was forged in runs or report is named with both values, and the exit status says so."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import forged
import numpy as np
import pytest
from commands import ablation
from made_fonts import made_font

from ablation.analysis.metrics import classification_metrics
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, read_arrays, read_record
from ablation.report.render.evidence import own_digest


@pytest.fixture
def project(reported, tmp_path) -> Path:
    return shutil.copytree(reported, tmp_path / "project")


@pytest.fixture
def bare(finished, tmp_path) -> Path:
    """The same without a report."""
    return shutil.copytree(finished.folder, tmp_path / "project")


def run_folder(project: Path) -> Path:
    """That of crop, seed 1."""
    specs = {path.parent: json.loads(path.read_text("utf-8")) for path in project.glob("runs/small/*/spec.json")}
    specs = dict(sorted(specs.items()))
    return next(folder for folder, spec in specs.items() if spec["recipe"] and spec["seed"] == 1)


def words(out: str) -> str:
    return " ".join(out.split())


def test_what_training_and_reporting_left_is_as_recomputed(project):
    for name in ("small", "reports/small", "reports/small/"):
        code, out, err = ablation(project, "verify", name)
        assert (code, err) == (0, "")
        answer = re.search(r"All ([\d,]+) numbers are as recomputed, and all (\d+) files as they were written\.", out)
        assert answer is not None
        evidence = json.loads((project / "reports" / "small" / "evidence.json").read_text("utf-8"))
        assert int(answer[1].replace(",", "")) > 6 * len(next(iter(evidence["experiments"]["small"]["effects"])))
        assert int(answer[2]) == 2 * 6 + 2 * len(evidence["files"]) + 1
        assert "6 runs" in out
    assert "bit for bit" not in out, "nothing is trained"


def test_it_works_without_torch_and_mlflow(project, environment):
    blocked = "import sys; sys.modules.update(torch=None, torchvision=None, mlflow=None, joblib=None)\n"
    script = f"{blocked}sys.argv = ['ablation', 'verify', 'small']\nfrom ablation.cli.main import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "numbers are as recomputed" in ended.stdout


def edit_epoch(folder: Path) -> None:
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["history"][0]["val_accuracy"] = 0.999
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")


def edit_labels(folder: Path) -> None:
    """The truth is what the network answers."""
    with np.load(folder / ARRAYS_FILE) as stored:
        arrays = dict(stored)
    arrays["label"] = arrays["logits"].argmax(1)
    np.savez_compressed(folder / ARRAYS_FILE, **arrays)


def edit_rows(folder: Path) -> None:
    """The images that are tested are other ones of the same classes."""
    with np.load(folder / ARRAYS_FILE) as stored:
        arrays = dict(stored)
    arrays["sample"], arrays["label"] = arrays["train_sample"], arrays["train_label"]
    arrays["logits"] = arrays["train_logits"].astype(np.float32)
    arrays["features"] = arrays["features"][: len(arrays["sample"])]
    np.savez_compressed(folder / ARRAYS_FILE, **arrays)


def edit_split(folder: Path) -> None:
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["evidence"]["split"] = "0" * 16
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")


def edit_first_batch(folder: Path) -> None:
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["evidence"]["first_test_batch"] = "0" * 16
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")


def edit_spec(folder: Path) -> None:
    file = folder / "spec.json"
    file.write_text(file.read_text("utf-8").replace('"epochs": 2', '"epochs": 20'), "utf-8")


FORGERIES = {
    "accuracy": (forged.edit_accuracy, r"accuracy: 0\.999 in the record, 0\.\d+ from the logits"),
    "accuracy and digest": (forged.edit_accuracy_and_digest, r"accuracy: 0\.999 in the record, 0\.\d+ from the logits"),
    "predictions": (forged.replace_predictions, r"accuracy: 0\.\d+ in the record, 1\.0 from the logits"),
    "predictions and digest": (forged.replace_predictions_and_digest, r"accuracy: 0\.\d+ in the record, 1\.0 from"),
    "a learning curve": (edit_epoch, r"val_accuracy of epoch 1: 0\.999 in the record, 0\.\d+ in the journal"),
    "labels": (edit_labels, r"labels of test images are not that of the data"),
    "other images": (edit_rows, r"the images that were tested are not those of the test part"),
    "split": (edit_split, r"its split is 0000000000000000, and that of the data [0-9a-f]{16}"),
    "first test batch": (edit_first_batch, r"its first test batch is 0000000000000000, and that of its seed"),
    "spec": (edit_spec, r"its spec\.json is of [0-9a-f]{16}"),
}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an older version"])
@pytest.mark.parametrize(("forge", "found"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_run_is_found(bare, forge, found, sealed):
    """By what is recomputed, and where there is one also by its seal."""
    folder = run_folder(bare)
    if not sealed:
        forged.make_older(folder)
    forge(folder)
    code, out, _ = ablation(bare, "verify", "small")
    assert code == 1
    assert re.search(found, words(out)), out
    assert f"crop · sgd · seed 1 ({folder.name})" in words(out)
    assert re.search(r"^\d+ (numbers?|files?|runs?).* differs?\.$", out, re.MULTILINE)
    altered = "(its seal does not fit)" in words(out)
    assert altered == (sealed and forge is not edit_spec)
    assert ("1 of 6 runs not sealed: made by an older version." in words(out)) == (not sealed)


@pytest.mark.parametrize("cut", [forged.truncate_journal, forged.without_seal])
def test_a_journal_without_its_seal_is_found(bare, cut):
    folder = run_folder(bare)
    cut(folder)
    code, out, _ = ablation(bare, "verify", "small")
    assert code == 1
    assert f"crop · sgd · seed 1 ({folder.name}): journal.jsonl has lost the seal of the run" in words(out)


def test_an_older_record_whose_digest_does_not_fit_is_found(bare):
    folder = run_folder(bare)
    forged.make_older(folder)
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["evidence"]["parameters"] += 1
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")
    code, out, _ = ablation(bare, "verify", "small")
    assert (code, "1 run differs." in out) == (1, True)
    assert "record and arrays are not those that the record's digest was computed of" in words(out)


def rewritten(project: Path, name: str, old: str, new: str) -> bytes:
    file = project / "reports" / "small" / name
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file.read_bytes()


def fit_evidence(project: Path, folder: str = "small", **contents: bytes) -> None:
    """evidence.json holds the digests of what lies there now, and its own."""
    file = project / "reports" / folder / "evidence.json"
    held = json.loads(file.read_text("utf-8"))
    held["files"] |= {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    held["digest"] = own_digest({name: item for name, item in held.items() if name != "digest"})
    file.write_text(json.dumps(held), "utf-8")


def mean_of(project: Path) -> str:
    """The mean of crop as the main table shows it."""
    held = json.loads((project / "reports" / "small" / "evidence.json").read_text("utf-8"))
    rows = [row for group in held["sections"]["effects"]["tables"][0]["groups"] for row in group["rows"]]
    return str(next(row["mean"] for row in rows if row["recipe"] == "crop"))


@pytest.mark.parametrize("fitted", [False, True], ids=["as edited", "with digests that fit"])
@pytest.mark.parametrize("name", ["report.html", "tables/effects-1.csv", "tables/effects.tex"])
def test_a_number_edited_in_a_file_of_the_report_is_found(project, name, fitted):
    mean = mean_of(project)
    shown = mean if name != "tables/effects.tex" else mean.split(" ")[0]
    content = rewritten(project, name, shown, shown.replace(shown[0], "9", 1) if shown[0] != "9" else f"8{shown[1:]}")
    if fitted:
        fit_evidence(project, **{name: content})
    code, out, _ = ablation(project, "verify", "reports/small")
    assert (code, "1 file differs." in out) == (1, fitted), out
    assert re.search(rf"{name}: line [\d,]+: .* there, .* anew", words(out))
    assert (f"{name}: was changed" in words(out)) == (not fitted)


def test_an_estimate_edited_in_the_evidence_is_found(project):
    file = project / "reports" / "small" / "evidence.json"
    held = json.loads(file.read_text("utf-8"))
    effect = next(one for one in held["experiments"]["small"]["effects"] if one["recipe"] == "crop")
    before, effect["estimate"] = effect["estimate"], 0.123
    file.write_text(json.dumps(held), "utf-8")
    code, out, _ = ablation(project, "verify", "reports/small")
    assert (code, "1 number and 1 file differ." in out) == (1, True)
    assert f".estimate: 0.123 there, {before!r} anew" in words(out)
    assert "evidence.json: was changed after it was written: its digest does not fit" in words(out)
    fit_evidence(project)
    code, out, _ = ablation(project, "verify", "reports/small")
    assert (code, "1 number differs." in out) == (1, True)


def test_a_report_of_other_records_says_what_differs(project):
    """All that was forged fits together, but for what training left."""
    folder = run_folder(project)
    forged.make_older(folder)
    forged.replace_predictions(folder)
    record, arrays = read_record(folder), read_arrays(folder)
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["metrics"] = {"accuracy": 1.0} | {name: item for name, item in form["metrics"].items() if name != "accuracy"}
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")
    forged.fit_digest(folder)
    assert (record.id, len(arrays.label)) == (folder.name, record.evidence["test_images"])
    code, out, _ = ablation(project, "verify", "reports/small", "--all")
    assert code == 1
    assert f"evidence.json: experiments.small.runs.{folder.name}.metrics.accuracy: " in words(out)


def forge(project: Path, head: dict, number: str = "+99.9", folder: str = "small") -> None:
    """The headline has another number, in the page and in the evidence, and all digests fit."""
    file = project / "reports" / folder / "evidence.json"
    held = json.loads(file.read_text("utf-8"))
    shown = held["headline"]["number"]
    page = project / "reports" / folder / "report.html"
    page.write_text(page.read_text("utf-8").replace(shown, number), "utf-8")
    held["headline"]["number"] = number
    file.write_text(json.dumps(held | head), "utf-8")
    fit_evidence(project, folder, **{"report.html": page.read_bytes()})


def test_a_report_said_to_be_of_other_code_has_the_same_numbers_or_is_found(project):
    other = {"code": "0" * 64, "inputs": "0" * 64}
    file = project / "reports" / "small" / "evidence.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | other), "utf-8")
    fit_evidence(project)
    code, out, _ = ablation(project, "verify", "reports/small")
    assert code == 0, "its numbers are those of the records"
    assert re.search(r"All .* as they were written; the pages of the report were not checked\.", words(out))
    forge(project, other)
    code, out, _ = ablation(project, "verify", "reports/small")
    assert (code, "1 number differs; the pages of the report were not checked." in words(out)) == (1, True), out
    assert 'evidence.json: headline.number: "+99.9" there' in words(out)


@pytest.mark.parametrize("part", ["answer", "table"])
def test_numbers_in_answers_and_tables_are_compared_whatever_code_made_them(project, part):
    file = project / "reports" / "small" / "evidence.json"
    held = json.loads(file.read_text("utf-8")) | {"code": "0" * 64, "inputs": "0" * 64}
    if part == "answer":
        held["answer"][0] += " It is better by 77 points."
    else:
        held["sections"]["effects"]["tables"][0]["groups"][0]["rows"][1]["mean"] = "77.7"
    held["question"] = "In other words?"
    file.write_text(json.dumps(held), "utf-8")
    fit_evidence(project)
    code, out, _ = ablation(project, "verify", "reports/small")
    assert (code, "1 number differs" in out, "77" in out) == (1, True, True), out
    assert "1 text of the report was not compared" in words(out)


def test_inputs_that_this_program_would_not_have_written_are_a_difference(project):
    forge(project, {"inputs": "0" * 64})
    code, out, _ = ablation(project, "verify", "reports/small")
    assert (code, "evidence.json: inputs: are not what the records give" in words(out)) == (1, True)


def test_a_variant_that_was_tried_does_not_make_a_report_look_altered(project):
    """Its runs and its declaration lie in the folder of the experiment's runs."""
    variant = ("--set", "epochs=1", "--only", "recipe=crop,seed=0", "--no-tracking", "-j", "1")
    assert ablation(project, "run", "small", *variant).code == 0
    assert '"overrides"' in (project / "runs" / "small" / "declared.jsonl").read_text("utf-8")
    code, out, _ = ablation(project, "verify", "small")
    assert "are not what the records give" not in words(out)
    if code:  # as the report is to speak of variants that have results
        assert "report is out of date" in words(out)
        again = ("report", "small", "--section", "effects", "--no-pdf", "--out", "reports/small")
        assert ablation(project, *again).code == 0
    assert ablation(project, "verify", "small").code == 0


def test_a_report_of_fewer_runs_is_out_of_date_and_the_printed_command_makes_it_anew(bare):
    kept = run_folder(bare)
    shutil.move(kept, bare / "kept")
    assert ablation(bare, "report", "small", "--section", "effects", "--no-pdf").code == 0
    shutil.move(bare / "kept", kept)
    code, out, _ = ablation(bare, "verify", "small", "--report", "reports/small-effects")
    assert code == 1
    assert re.search(r"The report is out of date; all [\d,]+ numbers of the runs are as recomputed", words(out))
    assert "evidence.json: is out of date: 1 run was added since: `" in words(out)
    assert "changed" not in out
    command = re.search(r"`ablation ([^`]+)` makes it anew", words(out))
    assert command is not None
    assert ablation(bare, *command[1].split()).code == 0
    code, out, _ = ablation(bare, "verify", "small", "--report", "reports/small-effects")
    assert (code, "out of date" in out) == (0, False)
    forge(bare, {"inputs": "0" * 64}, folder="small-effects")
    code, out, _ = ablation(bare, "verify", "small", "--report", "reports/small-effects")
    assert (code, "out of date" in out) == (1, False), "nothing came since: it was altered"


def test_with_fonts_of_ones_own_the_pages_are_not_made_anew_and_that_is_said_first(bare, tmp_path):
    font = made_font(tmp_path / "own.ttf", "ab")
    assert (
        ablation(
            bare, "report", "small", "--section", "effects", "--no-pdf", "--font", str(font), "--out", "reports/small"
        ).code
        == 0
    )
    code, out, _ = ablation(bare, "verify", "small")
    assert (code, "; the pages of the report were not checked." in words(out)) == (0, True), out
    assert "The report was made with fonts that --font gave: its pages were not made anew." in words(out)
    forge(bare, {})
    code, out, _ = ablation(bare, "verify", "small")
    assert (code, "1 number differs; the pages of the report were not checked." in words(out)) == (1, True)


def test_files_beside_those_of_the_report_are_found(project):
    folder = project / "reports" / "small"
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "report.pdf").write_bytes(b"%PDF")
    (folder / "figures" / "evil.svg").write_text("<svg/>")
    (folder / ".hidden").write_text("of the system")
    code, out, _ = ablation(project, "verify", "small")
    assert (code, "2 files differ." in out) == (1, True)
    for name in ("report.pdf", "figures/evil.svg"):
        assert f"{name}: lies in the report's folder, and evidence.json does not name it" in words(out)


def test_a_missing_file_and_a_report_that_is_none_are_named(project):
    (project / "reports" / "small" / "tables" / "effects.md").unlink()
    code, out, _ = ablation(project, "verify", "small")
    assert (code, "tables/effects.md: is missing" in words(out)) == (1, True)
    (project / "reports" / "small" / "evidence.json").write_text("{")
    code, _, err = ablation(project, "verify", "reports/small")
    assert (code, "evidence.json is not JSON any more" in err) == (2, True)
    (project / "reports" / "small" / "evidence.json").write_text('{"report": "small", "report": "other"}')
    code, _, err = ablation(project, "verify", "small")
    assert (code, "'report' stands in it twice" in words(err)) == (2, True)
    for held in ({"inputs": "", "files": {}, "experiments": {}, "sections": {}}, []):
        (project / "reports" / "small" / "evidence.json").write_text(json.dumps(held))
        for name in ("small", "reports/small"):
            code, _, err = ablation(project, "verify", name)
            assert (code, "evidence.json has no" in words(err), "experiments" in words(err)) == (2, True, True)
    code, _, err = ablation(project, "verify", "smal")
    assert (code, "did you mean 'small'" in err) == (2, True)


def test_a_changed_pdf_is_found_though_its_digest_fits(bare):
    assert ablation(bare, "report", "small", "--section", "effects", "--out", "reports/small").code == 0
    assert ablation(bare, "verify", "small").code == 0
    file = bare / "reports" / "small" / "report.pdf"
    content = file.read_bytes().replace(b"/Producer", b"/producer", 1) + b"\n"
    file.write_bytes(content)
    fit_evidence(bare, **{"report.pdf": content})
    code, out, _ = ablation(bare, "verify", "small")
    assert (code, "1 file differs." in out) == (1, True)
    assert "report.pdf: is another file than the records give" in words(out)


def test_a_report_of_several_experiments_is_verified_with_all_of_them(bare):
    file = bare / "experiments" / "small.py"
    text = file.read_text("utf-8").replace('name="small"', 'name="other"').replace("0.05", "0.04")
    (bare / "experiments" / "other.py").write_text(text, "utf-8")
    shutil.copytree(bare / "runs" / "small", bare / "runs" / "other")  # runs of other specs: none of them is used
    assert ablation(bare, "run", "other", "--no-tracking", "-j", "1").code == 0
    assert ablation(bare, "report", "small", "other", "--no-pdf").code == 0
    code, out, _ = ablation(bare, "verify", "reports/small+other")
    assert (code, out.count("metrics, from the stored logits")) == (0, 1)
    assert re.search(r"records and arrays, by their seals +24 files", out)
    forged.edit_accuracy(run_folder(bare))
    code, out, _ = ablation(bare, "verify", "reports/small+other")
    assert (code, "evidence.json: experiments.small.effects" in words(out)) == (1, True)


def test_a_run_is_trained_again_bit_for_bit(bare):
    before = {path: path.read_bytes() for path in (bare / "runs").rglob("*") if path.is_file()}
    code, out, err = ablation(bare, "verify", "small", "--retrain", "any")
    assert (code, err) == (0, "")
    assert re.search(r"\w+ · sgd · seed \d \([0-9a-f]{16}\), trained again, bit for bit +1 run", out)
    assert {path: path.read_bytes() for path in (bare / "runs").rglob("*") if path.is_file()} == before
    code, _, err = ablation(bare, "verify", "small", "--retrain", "xyz")
    assert (code, "--retrain takes the id of one of the 6 finished runs: 'xyz' is none of them" in err) == (2, True)


def test_a_forgery_that_fits_together_is_found_by_training_again(bare):
    """Nobody has seen the seal of an older run, and logits that were made up give the metrics that are told."""
    folder = run_folder(bare)
    forged.make_older(folder)
    forged.replace_predictions(folder)
    arrays, form = read_arrays(folder), json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["metrics"] = classification_metrics(arrays.logits, arrays.label)
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")
    forged.fit_digest(folder)
    code, out, _ = ablation(bare, "verify", "small")
    assert (code, "1 of 6 runs not sealed: made by an older version." in words(out)) == (0, True)
    code, out, _ = ablation(bare, "verify", "small", "--retrain", folder.name[:8])
    assert code == 1
    assert re.search(rf"\({folder.name}\): logits: [\d,]+ of [\d,]+ numbers differ", words(out))
    assert re.search(r"metrics: accuracy: 1\.0 before, 0\.\d+ again", words(out))


def test_another_environment_is_told_before_training(bare):
    folder = run_folder(bare)
    forged.make_older(folder)
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["environment"]["torch"] = "1.0"
    (folder / RECORD_FILE).write_text(json.dumps(form), "utf-8")
    code, _, err = ablation(bare, "verify", "small", "--retrain", folder.name)
    assert code == 0, "the versions are no part of what must repeat"
    assert re.search(r"not where it was trained \(torch 1\.0, now \S+\): other bits would prove nothing", err)


def test_a_run_without_a_record_is_said_not_to_be_checked(bare):
    (run_folder(bare) / RECORD_FILE).unlink()
    code, out, err = ablation(bare, "verify", "small")
    assert code == 0
    assert re.search(r"All .* files as they were written; 1 of 6 runs without a record\.", words(out)), "said first"
    assert "1 of 6 runs interrupted: in no mean and no test." in words(err), "the warnings of the results are shown"


def test_without_a_finished_run_there_is_nothing_to_verify(bare):
    shutil.rmtree(bare / "runs")
    code, _, err = ablation(bare, "verify", "small")
    assert (code, "no run of small has finished in runs: there is nothing to verify" in err) == (2, True)
