"""Publishing to MLflow, on a real SQLite store; runs are made up, their folders are real."""

import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import bench as bench_module
import pytest
from bench import BORN, CROP, Bench, train

from ablation import Brightness, Cosine
from ablation.experiment.record import RunRecord
from ablation.experiment.runs import Run
from ablation.tracking import publication
from ablation.tracking.store import Store, connect, without_password


def test_every_run_is_there_once_flat_with_its_factors_and_its_outcome(bench: Bench):
    recipes = {"<none@../>": (), "none again": (), "it's": (CROP,)}
    bench = Bench(bench.home, replace(bench.experiment, recipes=recipes, baseline="it's", vary={"dropout": (0.0, 0.3)}))
    assert (len(bench.cells), len(bench.runs)) == (12, 8)
    outcomes = ["finished", "failed", "diverged", *["finished"] * 4]
    for run, outcome in zip(bench.runs, outcomes, strict=False):  # the last one stays planned
        train(run, outcome)
    bench.publish()

    found = {run.data.tags["ablation.run_id"]: run for run in bench.search()}
    assert len(bench.search()) == len(found) == 7
    expected = {"finished": "FINISHED", "failed": "FAILED", "diverged": "FAILED"}
    for run, outcome in zip(bench.runs, outcomes, strict=False):
        published = found[run.spec.id]
        assert published.info.status == expected[outcome]
        assert published.data.tags["ablation.outcome"] == outcome
        assert "mlflow.parentRunId" not in published.data.tags
        assert {"recipe", "optimizer", "dropout", "seed"} <= published.data.params.keys()
        assert (published.info.start_time, published.info.end_time >= 1000 * BORN) == (1000 * BORN, True)
        assert ("test/accuracy" in published.data.metrics) == (outcome == "finished")
    first = bench.find(bench.runs[0])
    assert first.info.run_name == "<none@../>, none again · adam · 0.0 · seed 0"
    assert "out of memory" in bench.find(bench.runs[1]).data.tags["mlflow.note.content"]
    assert "step 7" in bench.find(bench.runs[2]).data.tags["mlflow.note.content"]


def test_params_are_the_names_and_the_resolved_values(bench: Bench):
    train(bench.runs[2])
    bench.publish()
    params = bench.find(bench.runs[2]).data.params
    assert {name: params[name] for name in ("recipe", "optimizer", "seed", "epochs", "model", "schedule")} == {
        "recipe": "crop",
        "optimizer": "adam",
        "seed": "0",
        "epochs": "2",
        "model": "resnet50",
        "schedule": "Cosine(warmup=1)",
    }
    assert params["recipe.operations"] == "RandomResizedCrop(scale=(0.35, 1.0)), Brightness(brightness=0.4)"
    assert (params["optimizer.type"], params["optimizer.lr"], params["optimizer.betas"]) == (
        "Adam",
        "0.002",
        "(0.9, 0.999)",
    )
    assert [
        run.data.params["recipe"] for run in bench.search("params.recipe = 'crop' and params.optimizer = 'adam'")
    ] == ["crop"]
    assert bench.search("params.recipe = 'none'") == []
    assert len(bench.search('metrics."test/accuracy" > 0.7')) == 1


def test_a_level_that_was_named_keeps_its_value_beside_the_name(bench: Bench):
    bench = Bench(bench.home, replace(bench.experiment, vary={"dropout": {"much": 0.5}, "schedule": {"cos": Cosine()}}))
    train(bench.runs[0])
    bench.publish()
    params = bench.find(bench.runs[0]).data.params
    assert (params["dropout"], params["dropout.value"]) == ("much", "0.5")
    assert (params["schedule"], params["schedule.type"]) == ("cos", "Cosine")


def test_metrics_have_the_journals_times_and_publishing_again_adds_none(bench: Bench):
    run = bench.runs[0]
    train(run)
    bench.publish()
    epochs = [event for event in run.journal.events() if event["event"] == "epoch"]
    told = [(event["epoch"], round(event["time"] * 1000), event["train_loss"]) for event in epochs]
    before = bench.find(run)
    assert bench.points(run, "train/loss") == told
    assert len(bench.points(run, "test/accuracy")) == 1
    assert "val/loss" not in before.data.metrics  # None: it was not finite
    assert "cost/epoch_images_per_second" not in before.data.metrics  # infinity

    connect(bench.store).delete_tag(before.info.run_id, "ablation.digest")  # so that it is really sent again
    bench.publish()
    bench.publish()
    after = bench.find(run)
    assert after.info.run_id == before.info.run_id
    assert (after.data.metrics, after.data.params) == (before.data.metrics, before.data.params)
    assert bench.points(run, "train/loss") == told
    assert len(bench.points(run, "test/accuracy")) == 1
    assert after.data.tags == before.data.tags


def test_a_publication_that_broke_off_is_completed(bench: Bench):
    run = bench.runs[0]
    train(run)
    bench.publish()
    client, half = connect(bench.store), bench.find(bench.runs[0]).info.run_id
    client.delete_run(half)
    tags = {"ablation.run_id": run.spec.id, "ablation.format": publication.NAMES}
    broken = client.create_run(bench.find_experiment(), round(BORN * 1000), tags, "half").info.run_id
    client.log_metric(broken, "train/loss", 2.0, round((BORN + 1) * 1000), 1)
    assert bench.find(run).info.status == "RUNNING"
    bench.publish()
    assert (bench.find(run).info.run_id, bench.find(run).info.status) == (broken, "FINISHED")
    assert [step for step, _, _ in bench.points(run, "train/loss")] == [1, 2]


def test_a_stale_status_is_mended(bench: Bench):
    train(bench.runs[0])
    bench.publish()
    before = bench.find(bench.runs[0]).info.run_id
    connect(bench.store).update_run(before, status="RUNNING")
    bench.publish()
    assert (bench.find(bench.runs[0]).info.run_id, bench.find(bench.runs[0]).info.status) == (before, "FINISHED")


def test_a_failed_run_that_finishes_later_is_the_same_run(bench: Bench):
    run = bench.runs[0]
    train(run, "failed")
    bench.publish()
    failed = bench.find(run)
    assert (failed.info.status, failed.data.metrics["train/loss"]) == ("FAILED", 2.0)
    train(run)
    bench.publish()
    finished = bench.find(run)
    assert (finished.info.run_id, finished.info.status) == (failed.info.run_id, "FINISHED")
    assert finished.data.tags["ablation.outcome"] == "finished"
    assert finished.info.end_time > failed.info.end_time
    assert [step for step, _, _ in bench.points(run, "train/loss")] == [1, 2]


def test_what_cannot_be_changed_in_mlflow_is_replaced(bench: Bench):
    """A renamed recipe: params are final there. A run trained anew: its points would mix with the old ones."""
    for run in bench.runs:
        train(run)
    bench.publish()
    bench = Bench(bench.home, replace(bench.experiment, recipes={"none": (), "CROP": (CROP, Brightness(0.4))}))
    shutil.rmtree(bench.runs[0].folder)
    train(bench.runs[0], born=BORN + 5000)
    bench.publish()
    assert sorted(run.data.params["recipe"] for run in bench.search()) == ["CROP", "CROP", "none", "none"]
    assert len(bench.points(bench.runs[0], "train/loss")) == 2
    assert bench.find(bench.runs[0]).info.start_time == round((BORN + 5000) * 1000)


def test_a_run_that_is_there_twice_is_there_once_afterwards(bench: Bench):
    train(bench.runs[0])
    bench.publish()
    tags = {"ablation.run_id": bench.runs[0].spec.id}
    connect(bench.store).create_run(bench.find_experiment(), round(BORN * 1000), tags)
    bench.publish()
    assert bench.find(bench.runs[0]).info.status == "FINISHED"


def test_the_report_run_is_finished_only_when_all_runs_are(bench: Bench, tmp_path: Path):
    bench.publish()
    assert connect(bench.store).get_experiment_by_name(bench.experiment.name) is None  # nothing has started
    for run in bench.runs[:3]:
        train(run)
    page, table = tmp_path / "report.html", tmp_path / "tables"
    page.write_text("first")
    table.mkdir()
    (table / "effects.csv").write_text("recipe,estimate")
    bench.tracker().publish_report(page, table)
    partly = bench.report()
    assert partly.info.status == "FAILED"
    assert partly.data.tags["ablation.outcome"] == "3 finished"
    assert (partly.data.metrics["runs_planned"], partly.data.metrics["runs_finished"]) == (4, 3)
    assert (partly.data.tags["design.baseline"], partly.data.tags["design.test"]) == ("none", "Crossed()")

    train(bench.runs[3])
    page.write_text("second")
    bench.tracker().publish_report(page, table)
    bench.publish()  # without files: those that are there stay
    whole = bench.report()
    assert (whole.info.run_id, whole.info.status) == (partly.info.run_id, "FINISHED")
    assert whole.data.metrics["runs_finished"] == 4
    folder = bench.home / "mlartifacts" / bench.experiment.name / whole.info.run_id / "artifacts"
    assert (folder / "report.html").read_text() == "second"
    assert (folder / "tables" / "effects.csv").exists()

    shutil.rmtree(bench.runs[3].folder)
    bench.publish()
    assert bench.report().info.status == "FAILED"
    assert bench.report().data.metrics["runs_finished"] == 3
    bench.publish()
    assert len(connect(bench.store).get_metric_history(whole.info.run_id, "runs_finished")) == 3


def test_artifacts_lie_beside_the_store_and_not_in_the_working_directory(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    train(bench.runs[0])
    bench.publish()
    folder = bench.home / "mlartifacts" / bench.experiment.name / bench.find(bench.runs[0]).info.run_id / "artifacts"
    assert sorted(path.name for path in folder.iterdir()) == ["preview.png", "record.json", "spec.json"]
    assert json.loads((folder / "spec.json").read_text()) == bench.runs[0].spec.to_plain()
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_experiment_is_a_warning(bench: Bench):
    train(bench.runs[0])
    bench.publish()
    connect(bench.store).delete_experiment(bench.find_experiment())
    bench.tracker().publish_all()
    [warning] = bench.warnings
    assert "was deleted" in warning
    assert "experiments restore" in warning


@pytest.mark.parametrize("silent", [False, True], ids=["closed port", "a server that says nothing"])
def test_a_server_that_is_down_costs_one_warning_soon(
    bench: Bench, tmp_path: Path, silent: bool, monkeypatch: pytest.MonkeyPatch
):
    """One that says nothing may be slow: it is waited for as long as MLflow's own setting says."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()
        down = Bench(tmp_path, bench.experiment, f"http://user:secret@127.0.0.1:{listener.getsockname()[1]}")
        train(down.runs[0])
        train(down.runs[1])
        begun = time.monotonic()
        tracker = down.tracker()
        tracker.publish(down.runs[0])
        tracker.publish_all()
        tracker.publish_report()
    assert time.monotonic() - begun < 5
    [warning] = down.warnings
    assert ("no answer (timed out)" if silent else "no answer ([Errno") in warning
    assert "secret" not in warning
    assert down.runs[0].status() == "finished"


class Dropping(BaseHTTPRequestHandler):
    """Says that it lives, to those who ask without a password, and drops every other request."""

    def do_GET(self) -> None:
        if self.path == "/health" and "Authorization" not in self.headers:
            self.send_response(200)
            self.end_headers()

    def log_message(self, *what: object) -> None:
        pass


def test_a_server_with_a_password_is_asked_and_the_password_is_not_shown(bench: Bench, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ThreadingHTTPServer(("127.0.0.1", 0), Dropping) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        dropping = Bench(tmp_path, bench.experiment, f"http://user:secret@127.0.0.1:{server.server_port}")
        train(dropping.runs[0])
        dropping.tracker().publish_all()
        server.shutdown()
    [warning] = dropping.warnings
    assert "experiments/get-by-name" in warning, "it had answered that it lives"
    assert "secret" not in warning


def test_a_store_that_cannot_be_opened_is_a_warning(bench: Bench, tmp_path: Path):
    (tmp_path / "mlflow.db").write_text("this is no database, but it is long enough to look like one: " * 20)
    broken = Bench(tmp_path, bench.experiment)
    train(broken.runs[0])
    broken.tracker().publish_all()
    assert len(broken.warnings) == 1


SCRIPT = """
import sys
from pathlib import Path
from ablation.tracking.client import Tracker
sys.path.insert(0, {tests!r})
from bench import Bench, question, train
bench = Bench(Path({home!r}), question("clean"))
bench.publish()
assert "mlflow" not in sys.modules, "nothing has ended"
for run in bench.runs:
    train(run)
bench.publish()
"""


def test_the_terminal_stays_clean_and_mlflow_is_imported_only_to_publish(tmp_path: Path, environment: dict[str, str]):
    command = [sys.executable, "-c", SCRIPT.format(tests=str(Path(bench_module.__file__).parent), home=str(tmp_path))]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "mlflow.db", "mlartifacts"}


def test_a_run_that_cannot_be_told_costs_one_warning_and_no_other_run(bench: Bench):
    for run in bench.runs:
        train(run)
    tracker = bench.tracker()
    del tracker.cells[bench.runs[0].spec.id]
    tracker.publish(bench.runs[0])
    tracker.publish_all()
    [warning] = bench.warnings
    assert bench.runs[0].spec.id in warning
    assert len(bench.search()) == len(bench.runs) - 1


def test_the_store_is_the_one_named_or_lies_beside_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Store.beside(tmp_path) == Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlartifacts")
    assert Store.beside(tmp_path, "http://one").uri == "http://one"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://two")
    assert Store.beside(tmp_path).uri == "http://two"
    assert Store.beside(tmp_path, "http://one").uri == "http://one"
    assert without_password("http://a:b@c/d failed, see http://e/f@g") == "http://c/d failed, see http://e/f@g"
    assert str(Store("postgresql://me:secret@host/db", tmp_path)) == "postgresql://host/db"


def test_a_run_that_cannot_be_shown_costs_no_other(bench, monkeypatch):
    for run in bench.runs:
        train(run)
    odd, whole = bench.runs[0], publication._params
    monkeypatch.setattr(
        publication, "_params", lambda cells: 1 / 0 if cells[0].spec.id == odd.spec.id else whole(cells)
    )
    tracker = bench.tracker()
    tracker.publish(odd)
    tracker.publish_all()
    reason = "ZeroDivisionError: division by zero"
    assert bench.warnings == [f"what MLflow shall show of run {odd.spec.id}: not known ({reason})"]
    assert len(bench.search()) == len(bench.runs) - 1
    monkeypatch.setattr(publication, "_params", whole)
    bench.tracker().publish_all()
    assert len(bench.search()) == len(bench.runs)


def test_a_run_says_in_words_what_it_is(bench: Bench):
    recipes = {"no`ne": (), "none again": (), "crop": (CROP, Brightness(0.4))}
    vary = {"dropout": {"much": 0.5}, "batch_size": (32,)}
    bench = Bench(bench.home, replace(bench.experiment, recipes=recipes, baseline="crop", vary=vary))
    plain, _, crop, _ = bench.runs
    for run, outcome in ((plain, "failed"), (crop, "finished"), (bench.runs[1], "diverged")):
        train(run, outcome)
    bench.publish()
    assert bench.find(crop).data.tags["mlflow.note.content"].splitlines() == [
        "- Outcome: finished, with 75.0 % accuracy on the test images",
        "",
        "![A photograph, and what the recipe made of it in the first epochs]"
        f"(get-artifact?path=preview.png&run_uuid={bench.find(crop).info.run_id})",
        "",
        "- Recipe: `crop`, which is `RandomResizedCrop(scale=(0.35, 1.0)) + Brightness(brightness=0.4)`",
        "- Optimizer: `adam`, which is `Adam(lr=0.002)`",
        "- Dropout: `much`, which is `0.5`",
        "- Batch size: `32`",
        "- Seed: 0",
        "- Trained: on `cpu` in 3.0 s",
        f"- Kept in: `{bench.experiment.name}/{crop.spec.id}`",
    ]
    assert bench.find(plain).data.tags["mlflow.note.content"].splitlines()[:2] == [
        "- Outcome: failed: `RuntimeError: out of memory`",
        "- Recipe: `` no`ne `` and `none again`, which is no augmentation",
    ]
    assert "- Outcome: diverged at step 7" in bench.find(bench.runs[1]).data.tags["mlflow.note.content"]


def test_the_notes_of_a_run_are_shown(bench: Bench):
    run = bench.runs[0]
    record = RunRecord(run.spec.id, "finished", (), {"accuracy": 0.5}, {}, notes=("what it took: not known (why)",))
    note = publication._note(run, record, "finished", bench.cells[:1], bench.experiment)
    assert note.endswith("\n- Note: `what it took: not known (why)`")


def test_tags_hold_the_arm_in_any_script(bench: Bench):
    name = "裁剪 قص <b>✂️</b> '\""
    recipes = {"none": (), name: (CROP,)}
    bench = Bench(bench.home, replace(bench.experiment, recipes=recipes, vary={"dropout": (0.0, 0.3)}))
    for run in bench.runs:
        train(run)
    bench.publish()
    cell = next(cell for cell in bench.cells if cell.factors["recipe"] == name)
    tags = bench.find(Run(bench.home, cell.spec)).data.tags
    named = ("recipe", "optimizer", "dropout", "seed")
    assert [tags[f"ablation.{factor}"] for factor in named] == [name, "adam", "0.0", "0"]
    arm = "tags.\"ablation.dropout\" = '0.3' and tags.\"ablation.recipe\" = 'none'"
    assert {run.data.params["seed"] for run in bench.search(arm)} == {"0", "1"}


def test_runs_of_a_store_with_older_names_of_metrics_are_replaced(bench: Bench):
    """Points cannot be taken back: a run of before would have both."""
    train(bench.runs[0])
    client, start = connect(bench.store), round(BORN * 1000)
    bench.publish()
    new = bench.find(bench.runs[0])
    client.delete_run(new.info.run_id)
    old = client.create_run(bench.find_experiment(), start, {"ablation.run_id": bench.runs[0].spec.id}).info.run_id
    client.log_metric(old, "test_accuracy", 0.75, start, 2)
    for name, value in new.data.params.items():
        client.log_param(old, name, value)
    client.set_tag(old, "ablation.digest", new.data.tags["ablation.digest"][:-1])
    client.set_terminated(old)
    bench.publish()
    [run] = bench.search()
    assert run.data.metrics["test/accuracy"] == 0.75
    assert not {name for name in run.data.metrics if "/" not in name}
    assert [step for step, _, _ in bench.points(bench.runs[0], "test/accuracy")] == [0], "drawn as bars, not as lines"


def test_an_altered_run_shows_what_its_journal_holds_and_not_its_record(bench: Bench):
    train(bench.runs[0])
    train(bench.runs[1])
    bench.publish()
    record = bench.runs[0].folder / "record.json"
    record.write_text(record.read_text().replace("0.75", "0.99"))
    late = Bench(bench.home, replace(bench.experiment, name=f"{bench.experiment.name}-late"))
    shutil.copytree(bench.home / "runs" / bench.experiment.name, late.home / "runs" / late.experiment.name)
    for one, metrics in ((bench, {"test/accuracy": 0.75}), (late, {})):
        one.publish()
        run = one.find(one.runs[0])
        assert (run.info.status, run.data.tags["ablation.outcome"]) == ("FAILED", "altered")
        assert "record.json is not what training left" in run.data.tags["mlflow.note.content"]
        assert {name: run.data.metrics[name] for name in run.data.metrics if name == "test/accuracy"} == metrics
        assert run.data.metrics["train/loss"] == 1.0
        assert one.report().data.tags["ablation.outcome"] == "1 finished, 1 altered"


def test_a_report_stays_while_only_counts_are_published_and_is_marked_when_it_is_old(bench: Bench, tmp_path: Path):
    page = tmp_path / "report.html"
    page.write_text("first")
    train(bench.runs[0])
    train(bench.runs[1], "diverged")
    verdicts = {bench.runs[0].spec.id: "better", bench.runs[1].spec.id: "baseline"}
    bench.tracker().publish_report(page, description="**crop** helps", verdicts=verdicts)
    first, tags = bench.report(), [run.data.tags for run in bench.search()]
    assert first.data.tags["mlflow.note.content"] == "**crop** helps"
    experiment = connect(bench.store).get_experiment(bench.find_experiment())
    link = f"(#/experiments/{experiment.experiment_id}/runs/{first.info.run_id}?workflowType=machine_learning)"
    assert link in experiment.tags["mlflow.note.content"]
    assert bench.find(bench.runs[0]).data.tags["ablation.verdict"] == "better"
    assert [run.data.params["seed"] for run in bench.search("tags.\"ablation.verdict\" = 'better'")] == ["0"]

    bench.tracker().publish_report(page, description="**crop** helps", verdicts=verdicts)
    bench.publish()
    assert bench.report().to_dictionary() == first.to_dictionary()
    assert [run.data.tags for run in bench.search()] == tags

    old = "The report is of 2 of {} runs; `ablation report --publish` renews it.\n\n**crop** helps"
    for count, run in ((3, bench.runs[2]), (4, bench.runs[3])):
        train(run)
        bench.publish()
        bench.publish()
        assert bench.report().data.tags["mlflow.note.content"] == old.format(count)
        assert bench.find(bench.runs[0]).data.tags["ablation.verdict"] == "better"
        assert "ablation.verdict" not in bench.find(run).data.tags
    assert bench.artifact("report.html") == "first"
    assert bench.report().info.run_id == first.info.run_id

    page.write_text("second")
    verdicts = {run.spec.id: "undecided" for run in bench.runs}
    bench.tracker().publish_report(page, description="Nothing helps", verdicts=verdicts)
    assert bench.report().data.tags["mlflow.note.content"] == "Nothing helps"
    assert {run.data.tags["ablation.verdict"] for run in bench.search()} == {"undecided"}
    assert bench.artifact("report.html") == "second"
    assert bench.warnings == []


def test_a_verdict_is_not_kept_by_a_run_that_was_trained_anew(bench: Bench):
    for run in bench.runs:
        train(run)
    verdicts = {run.spec.id: "better" for run in bench.runs}
    bench.tracker().publish_report(description="It helps", verdicts=verdicts)
    shutil.rmtree(bench.runs[0].folder)
    train(bench.runs[0], born=BORN + 5000)
    bench.publish()
    assert "ablation.verdict" not in bench.find(bench.runs[0]).data.tags
    assert bench.report().data.tags["mlflow.note.content"].startswith("The report is of 3 of 4 runs;")


def test_a_report_stays_when_the_grid_grows(bench: Bench, tmp_path: Path):
    page = tmp_path / "report.html"
    page.write_text("first")
    for run in bench.runs:
        train(run)
    verdicts = {run.spec.id: "better" for run in bench.runs}
    bench.tracker().publish_report(page, description="It helps", verdicts=verdicts)
    first = bench.report().info.run_id
    bench = Bench(bench.home, replace(bench.experiment, seeds=3))
    bench.publish()
    assert bench.report().info.run_id == first
    assert bench.report().data.tags["design.seeds"] == "0, 1, 2"
    assert bench.report().data.tags["mlflow.note.content"] == "It helps", "planned runs are none that a report lacks"
    assert bench.artifact("report.html") == "first"

    for run in bench.runs:  # trained anew, all of them: the experiment begins at another time
        shutil.rmtree(run.folder, ignore_errors=True)
        train(run, born=BORN + 5000)
    bench.publish()
    assert bench.report().info.run_id == first
    assert bench.report().data.tags["mlflow.note.content"].startswith("The report is of 0 of 6 runs;")
    assert bench.artifact("report.html") == "first"


def test_files_of_an_earlier_report_go_and_those_of_somebody_else_stay(bench: Bench, tmp_path: Path):
    train(bench.runs[0])
    page, figures, own = tmp_path / "report.pdf", tmp_path / "figures", tmp_path / "mine.txt"
    figures.mkdir()
    for path in (page, figures / "effects.svg", figures / "gone.svg", own):
        path.write_text("first")
    bench.tracker().publish_report(page, figures)
    connect(bench.store).log_artifact(bench.report().info.run_id, str(own))
    (figures / "gone.svg").unlink()
    bench.tracker().publish_report(figures)
    assert bench.artifacts() == {"figures/effects.svg", "mine.txt"}
    assert bench.warnings == []


def test_a_store_that_removes_nothing_is_a_warning(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    train(bench.runs[0])
    pdf, page = tmp_path / "report.pdf", tmp_path / "report.html"
    pdf.write_text("first")
    page.write_text("first")
    bench.tracker().publish_report(pdf, page)
    monkeypatch.setattr(LocalArtifactRepository, "delete_artifacts", lambda *_: 1 / 0)
    page.write_text("second")
    bench.tracker().publish_report(page)
    [warning] = bench.warnings
    assert "files of an earlier report" in warning
    assert bench.artifact("report.html") == "second"
