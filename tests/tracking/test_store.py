"""The store in a SQLite file: made whole or not at all, by however many at once, whatever is killed, wherever it is."""

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from bench import Bench, question, train
from faults import record_fault

from ablation.tracking.published import address_of, file_of
from ablation.tracking.store import Store, connect

FORKING = """
import os, signal, sys, time
from pathlib import Path
from ablation.tracking.store import Store, connect, quiet_environment
quiet_environment()
from mlflow import MlflowClient
from mlflow.store.tracking import sqlalchemy_store
for line in sys.stdin:  # how many, after how many seconds they are killed (0: never), in which folder
    count, seconds, folder = line.rstrip("\\n").split(" ", 2)
    children = []
    for _ in range(int(count)):
        child = os.fork()
        if not child:
            try:
                connect(Store.beside(Path(folder))).search_experiments()
                os._exit(0)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
        children.append(child)
    if float(seconds):
        time.sleep(float(seconds))
        for child in children:
            os.kill(child, signal.SIGKILL)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)
"""
"""Processes that open a store, each a fork of one that has imported what that takes, and has opened none."""


@pytest.fixture(scope="module")
def openers(tmp_path_factory: pytest.TempPathFactory):
    """A function that lets `count` processes open the store of a folder at once: their exit codes."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", FORKING], env=environment, **pipes) as process:

        def opened(count: int, folder: Path, seconds: float = 0.0) -> list[int]:
            process.stdin.write(f"{count} {seconds} {folder}\n")
            process.stdin.flush()
            return [int(code) for code in process.stdout.readline().split()]

        yield opened
        process.stdin.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody has used, to be copied."""
    folder = tmp_path_factory.mktemp("whole")
    connect(Store.beside(folder))
    return folder / "mlflow.db"


def tables(file: Path) -> dict[str, int]:
    """Each table of a store, with its rows."""
    with closing(sqlite3.connect(file)) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: opened.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names}


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("processes", "rounds"), [(3, 2), pytest.param(4, 15, marks=[pytest.mark.slow, pytest.mark.torture])]
)
def test_several_that_open_a_store_at_once_all_have_it(openers, tmp_path: Path, processes: int, rounds: int):
    codes = []
    for number in range(rounds):
        (folder := tmp_path / str(number)).mkdir()
        codes += openers(processes, folder)
        assert left(folder) == {"mlflow.db"}
    assert codes == [0] * processes * rounds
    seen = f"{codes.count(0)} of {len(codes)} processes had a whole store"
    record_fault("blocked", "several first commands make MLflow's store at once", rounds, "each of them has it", seen)


@pytest.mark.parametrize("kills", [5, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.torture])])
def test_a_kill_while_a_store_is_made_leaves_nothing_that_the_next_cannot_use(openers, tmp_path: Path, kills: int):
    (tmp_path / "first").mkdir()
    codes, unfinished = [], 0
    for moment in np.linspace(0.02, 1.5, kills):
        (folder := tmp_path / f"{moment:.3f}").mkdir()
        openers(1, folder, float(moment))
        unfinished += not (folder / "mlflow.db").exists()
        codes += openers(1, folder)
        assert left(folder) == {"mlflow.db"}, "what a kill left is cleaned up"
    assert codes == [0] * kills
    assert unfinished > kills / 4, "too few of the kills met the making of the store"
    seen = f"{codes.count(0)} stores usable; {unfinished} kills came before the store was there"
    record_fault("blocked", "a SIGKILL while MLflow's store is made", kills, "the next command has a store", seen)


def test_what_a_kill_behind_the_renaming_left_is_removed(whole: Path, tmp_path: Path):
    shutil.copy(whole, tmp_path / "mlflow.db")
    (tmp_path / f".mlflow.db.making-{platform.node()}-killed").mkdir()
    (elsewhere := tmp_path / ".mlflow.db.making-another-machine-1").mkdir()
    connect(Store.beside(tmp_path))
    assert left(tmp_path) == {"mlflow.db", elsewhere.name}


def break_as_a_kill_did(file: Path) -> None:
    """What a kill in the middle of MLflow's migrations leaves, where it makes its tables in place."""
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("CREATE TABLE _alembic_tmp_experiments (experiment_id INTEGER)")
        opened.execute("UPDATE alembic_version SET version_num = '0a8213491aaa'")
        opened.execute("DROP TABLE spans")
        opened.commit()


def test_a_broken_store_that_holds_nothing_is_made_anew_and_kept_aside(whole: Path, tmp_path: Path):
    shutil.copy(whole, tmp_path / "mlflow.db")
    break_as_a_kill_did(tmp_path / "mlflow.db")
    bench = Bench(tmp_path, question("broken"))
    train(bench.runs[0])
    bench.tracker().publish_all()
    assert bench.find(bench.runs[0]).info.status == "FINISHED"
    [warning] = bench.warnings
    assert "held no runs" in warning
    assert "mlflow.db.broken-1" in warning
    assert "_alembic_tmp_experiments" in tables(tmp_path / "mlflow.db.broken-1")
    bench.warnings.clear()
    bench.publish()
    record_fault("blocked", "a broken MLflow store that holds no runs", 1, "made anew, the old one kept aside", warning)


def test_a_broken_store_that_holds_runs_stays_and_what_is_said_to_do_helps(whole: Path, tmp_path: Path):
    bench = Bench(tmp_path, question("broken"))
    shutil.copy(whole, tmp_path / "mlflow.db")
    for run in bench.runs[:2]:
        train(run)
    bench.publish()
    file = tmp_path / "mlflow.db"
    break_as_a_kill_did(file)
    content = file.read_bytes()
    train(bench.runs[2])
    bench.tracker().publish_all()
    [warning] = bench.warnings
    assert f"{file} is broken (" in warning
    assert "holds 3 runs" in warning, "the experiment's own is one"
    assert "move it away" in warning
    assert file.read_bytes() == content
    assert left(tmp_path) == {"runs", "mlflow.db", "mlartifacts"}

    file.rename(tmp_path / "old.db")
    bench.warnings.clear()
    assert bench.tracker().sync()["published"] == 3
    assert {run.info.status for run in bench.search()} == {"FINISHED"}
    record_fault("blocked", "a broken MLflow store that holds runs", 1, "it stays, and is named with a remedy", warning)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an experiment, as MLflow made it before it had jobs: some of today's tables are missing."""
    from alembic import command
    from mlflow.store.db import utils

    file = tmp_path_factory.mktemp("older") / "mlflow.db"
    engine = utils.create_sqlalchemy_engine(address_of(file))
    utils.InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        config = utils._get_alembic_config(str(engine.url))
        config.attributes["connection"] = connection
        command.upgrade(config, OLDER)
    engine.dispose()
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'mine', 'active')")
        opened.execute(
            "INSERT INTO runs (run_uuid, experiment_id, status, lifecycle_stage) VALUES ('a', 7, 'FINISHED', 'active')"
        )
        opened.commit()
    return file


OLDER = "75868b020152"
OF_SQLALCHEMY = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # by MLflow's own code


@OF_SQLALCHEMY
@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.torture])])
def test_an_older_store_is_upgraded_whole_or_not_at_all(openers, older: Path, tmp_path: Path, kills: int):
    before, unfinished = older.read_bytes(), 0
    assert "scheduler_leases" not in tables(older)
    for moment in np.linspace(0.02, 0.6, kills):
        (folder := tmp_path / f"{moment:.3f}").mkdir()
        file = folder / "mlflow.db"
        shutil.copy(older, file)
        openers(1, folder, float(moment))
        unfinished += file.read_bytes() == before
        assert openers(1, folder) == [0]
        assert left(folder) == {"mlflow.db"}
        rows = tables(file)
        assert (rows["runs"], rows["experiments"], rows["scheduler_leases"]) == (1, 2, 0)
    assert unfinished, "no kill met the upgrade"
    seen = f"{kills} stores upgraded with all rows; {unfinished} kills came before the upgrade was there"
    record_fault("blocked", "a SIGKILL while MLflow's store is upgraded", kills, "no row lost, the next has it", seen)


@OF_SQLALCHEMY
def test_a_store_of_a_newer_mlflow_stays(whole: Path, older: Path, tmp_path: Path):
    file = tmp_path / "mlflow.db"
    shutil.copy(older, file)
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        opened.commit()
    before = file.read_bytes()
    bench = Bench(tmp_path, question("newer"))
    train(bench.runs[0])
    bench.tracker().publish_all()
    [warning] = bench.warnings
    assert f"{file} is of a newer MLflow and holds 1 run." in warning
    assert file.read_bytes() == before
    file.rename(tmp_path / "moved.db")  # as it says
    shutil.copy(whole, file)
    bench.warnings.clear()
    assert bench.tracker().sync()["published"] == 1


def test_a_store_that_is_locked_is_no_broken_one(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    connecting = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *at, **how: connecting(*at, **how | {"timeout": 0.1}))
    shutil.copy(whole, tmp_path / "mlflow.db")
    bench = Bench(tmp_path, question("locked"))
    train(bench.runs[0])
    with closing(connecting(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        bench.tracker().publish_all()
    [warning] = bench.warnings
    assert "database is locked" in warning
    assert "broken" not in warning
    bench.warnings.clear()
    bench.publish()


def test_a_store_that_is_removed_while_runs_are_published_is_made_anew_with_all_of_them(whole: Path, tmp_path: Path):
    """An open file goes on to take what is written to it, although nobody can open it any more."""
    bench = Bench(tmp_path, question("removed"))
    shutil.copy(whole, tmp_path / "mlflow.db")
    tracker = bench.tracker()
    train(bench.runs[0])
    tracker.publish(bench.runs[0])
    (tmp_path / "mlflow.db").unlink()
    shutil.copy(whole, tmp_path / "mlflow.db")  # as another process makes one
    train(bench.runs[1])
    tracker.publish(bench.runs[1])
    tracker.publish_all()
    assert bench.warnings == []
    assert tables(tmp_path / "mlflow.db")["runs"] == 3
    record_fault(
        "blocked", "MLflow's database is removed while runs are published", 1, "all are in the new one", "2 of 2"
    )


SPECIAL = ["a%20b", "what?", "a#b", "with space", "größe", "100%", "a&b=c;d", "a@b:c", "it's +1", "%2F%3F"]


@pytest.mark.parametrize("name", SPECIAL)
def test_a_store_lies_beside_the_runs_whatever_the_folder_is_called(whole: Path, tmp_path: Path, name: str):
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(whole, folder / "mlflow.db")
    bench = Bench(folder, question("named"))
    train(bench.runs[0])
    (folder / "report.html").write_text("report")
    bench.tracker().publish_report(folder / "report.html")
    assert bench.warnings == []
    assert bench.artifact("report.html") == "report"
    bench.tracker().publish_report()
    assert bench.artifacts() == set(), "it is removed there, too"
    assert bench.find(bench.runs[0]).info.status == "FINISHED"
    assert tables(folder / "mlflow.db")["runs"] == 2
    assert left(tmp_path) == {name}
    assert file_of(bench.store.uri) == folder / "mlflow.db"


def test_an_address_is_read_as_it_was_written():
    for name in SPECIAL:
        assert file_of(address_of(Path("/a b") / name / "mlflow.db")) == Path("/a b") / name / "mlflow.db"
    assert address_of(Path("/a b/mlflow.db")) == "sqlite:////a b/mlflow.db"
