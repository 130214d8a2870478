"""A store that is known to have everything is not asked, and mlflow is not imported; any doubt, and it is."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from bench import Bench, train

from ablation.tracking import client
from ablation.tracking.publication import KEY
from ablation.tracking.published import FILE


@pytest.fixture
def opened(monkeypatch):
    """The stores that are connected to."""
    stores, connect = [], client.connect

    def connecting(store):
        stores.append(store)
        return connect(store)

    monkeypatch.setattr(client, "connect", connecting)
    return stores


@pytest.fixture
def published(bench: Bench, opened):
    """Two runs of four, published."""
    train(bench.runs[0])
    train(bench.runs[1], "failed")
    bench.publish()
    assert len(opened) == 1
    return bench


def test_nothing_is_published_twice_and_the_store_is_not_even_opened(published: Bench, opened):
    before = published.search()
    published.publish()
    tracker = published.tracker()
    tracker.publish_all(held={run.spec.id: run.held() for run in published.runs})
    assert len(opened) == 1
    assert published.warnings == []
    assert {run.info.run_id: run.data for run in published.search()}.keys() == {run.info.run_id for run in before}


def test_without_anything_to_publish_mlflow_is_not_imported(published: Bench, environment):
    script = (
        "import sys, bench; from pathlib import Path\n"
        f"made = bench.Bench(Path({str(published.home)!r}), bench.question({published.experiment.name!r}))\n"
        "made.publish(); print('mlflow' in sys.modules, made.warnings)"
    )
    tests = f"{environment['PYTHONPATH']}/tests"
    environment = {**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{tests}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False []\n"


def test_what_has_ended_since_is_published(published: Bench, opened):
    train(published.runs[2])
    published.publish()
    assert len(opened) == 2
    assert published.find(published.runs[2]).info.status == "FINISHED"


def test_a_run_that_was_deleted_there_is_published_again(published: Bench, opened):
    client.connect(published.store).delete_run(published.find(published.runs[0]).info.run_id)
    opened.clear()
    published.publish()
    assert len(opened) == 1
    assert published.find(published.runs[0]).info.status == "FINISHED"


def test_a_run_whose_folder_is_gone_changes_the_counts(published: Bench, opened):
    for file in published.runs[1].folder.iterdir():
        file.unlink()
    published.publish()
    assert len(opened) == 2


def test_another_name_of_a_recipe_is_published(published: Bench, opened):
    recipes = {f"{name} again": recipe for name, recipe in published.experiment.recipes.items()}
    renamed = replace(published.experiment, recipes=recipes, baseline="none again")
    Bench(published.home, renamed).publish()
    assert len(opened) == 2
    assert published.find(published.runs[0]).data.params["recipe"] == "none again"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"store": null, "digests": {}}', b"\xff\x00", None])
def test_a_damaged_file_costs_only_the_question(published: Bench, opened, content):
    file = published.runs[0].root / FILE
    whole = file.read_bytes()
    if content is None:
        form = json.loads(whole)
        content = json.dumps(form | {"digests": [*form["digests"]]}).encode()
    file.write_bytes(content)
    published.publish()
    assert len(opened) == 2
    assert json.loads(file.read_bytes())["digests"] == json.loads(whole)["digests"]
    assert published.warnings == []


def test_of_a_server_nothing_is_remembered(bench: Bench):
    train(bench.runs[0])
    tracker = client.Tracker(
        bench.experiment, bench.cells, bench.home / "runs", "http://127.0.0.1:9", lambda text: None
    )
    tracker.publish_all()
    assert tracker.off
    assert not (bench.runs[0].root / FILE).exists()


def test_what_two_processes_published_at_once_is_there_once_after_the_next(bench: Bench):
    """Each has opened the store before the other writes: both make a run of what they do not see."""
    first, second = bench.tracker(), bench.tracker()
    train(bench.runs[0])
    first.publish(bench.runs[0])
    second.publish(bench.runs[0])
    train(bench.runs[1])
    first.publish_all()
    second.publish_all()
    bench.publish()
    assert len([run for run in bench.search() if run.data.tags.get(KEY) == bench.runs[1].spec.id]) == 1


def test_what_another_process_has_published_meanwhile_is_not_made_again(bench: Bench):
    """As where two commands train one experiment: each has opened the store before the other writes."""
    first, second = bench.tracker(), bench.tracker()
    train(bench.runs[0])
    first.publish(bench.runs[0])
    second.publish(bench.runs[0])
    train(bench.runs[1])
    first.publish_all()
    second.publish_all()
    assert len(bench.search()) == 2
    assert bench.report().data.metrics["runs_finished"] == 2.0
    assert bench.warnings == []


def test_two_processes_make_a_store_at_once(tmp_path, environment):
    """The file that is left where both make its tables takes nothing for ever."""
    script = (
        "import sys, mlflow; from pathlib import Path; from ablation.tracking.store import Store, connect\n"
        f"print('ready', flush=True); sys.stdin.readline(); connect(Store.beside(Path({str(tmp_path)!r})))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", script], env=environment, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
