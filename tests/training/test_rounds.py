"""What a sweep does about runs that fail, or that another process trains."""

import json
import os
import platform
import shutil
import threading
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
from faults import record_fault
from filelock import FileLock

from ablation import sweep
from ablation.core.errors import HeldError, InputError
from ablation.data import listing
from ablation.experiment.record import read_digest
from ablation.experiment.runs import SPEC_FILE, folder_of, runs_of
from ablation.training import worker
from ablation.training.rounds import HOLDER_FILE, LOCK_FILE, entered
from ablation.training.watch import Silent

pytestmark = pytest.mark.usefixtures("inside")

UNRULY = """
import json
import sys
from pathlib import Path

from torch import nn

class Unruly(nn.Sequential):
    def forward(self, images):
        if self.training and len(images) > 2:  # not in the dry run
            with open("forward.txt", "a") as log:
                log.write("x")
            misbehave(Path("forward.txt").stat().st_size)
        return super().forward(images)

def misbehave(count):
    how = Path("how.txt").read_text()
    first, _, way = how.rpartition(":")
    if first and count > int(first):
        return
    if way == "error":
        raise RuntimeError(f"too much of it, {count}")
    if way == "each":
        raise RuntimeError("too much of " + chr(96 + count))
    if way == "memory":
        raise MemoryError
    if way == "exit":
        sys.exit(0)
    if way == "edit":
        for spec in Path("runs").glob("*/*/spec.json"):
            spec.write_text(json.dumps(json.loads(spec.read_text()) | {"epochs": 5, "seed": 99}))

def network(classes):
    return Unruly(nn.Flatten(), nn.Linear(192, classes))
"""


class Log(Silent):
    """Keeps what a sweep reports; `on_event` is called with each."""

    def __init__(self, on_event=lambda run, event: None):
        self.events, self.lines, self.on_event = [], [], on_event

    def event(self, run, event):
        self.events.append((run.spec.id, event))
        self.on_event(run, event)

    def note(self, message):
        self.lines.append(message)

    def notes(self):
        return [event["message"] for _, event in self.events if event["event"] == "note"]

    def order(self, kind):
        return [run for run, event in self.events if event["event"] == kind]


@pytest.fixture
def unruly(tiny, tmp_path, monkeypatch):
    """A function: an experiment of so many runs of a network that misbehaves so, in its first N passes ("N:error")."""
    monkeypatch.chdir(tmp_path)

    def made(runs, how):
        Path("unruly.py").write_text(UNRULY)
        Path("how.txt").write_text(how)
        return replace(
            tiny, model="unruly:network", epochs=1, recipes={"none": ()}, optimizers={"adam": tiny.optimizers["adam"]},
            seeds=runs,
        )  # fmt: skip

    return made


def train(experiment, cache, watch=None, **options):
    return sweep(experiment, "runs", cache, jobs=1, device="cpu", watch=watch, **options)


def statuses(runs):
    return [run.status() for run in runs]


def events_of(run, kind):
    return [event for event in run.journal.events() if event["event"] == kind]


def test_a_run_that_fails_is_tried_again_in_the_same_command_where_that_is_wanted(unruly, cache):
    log = Log()
    runs = train(unruly(2, "1:error"), cache, log, max_retries=1)
    assert statuses(runs) == ["finished"] * 2
    assert log.notes() == ["failed: RuntimeError: too much of it, 1 (line 22 of unruly.py); it is tried again (1 of 1)"]
    assert log.order("finished") == [runs[1].spec.id, runs[0].spec.id], "when the others have had their turn"
    assert "failed" not in [event["event"] for _, event in log.events]


@pytest.mark.parametrize("retries", [0, 2])
def test_so_often_and_no_more(unruly, cache, retries):
    log = Log()
    (run,) = train(unruly(1, "error"), cache, log, max_retries=retries)
    assert len(events_of(run, "failed")) == retries + 1
    assert len(log.order("failed")) == 1
    assert len(log.notes()) == retries


def test_the_same_command_tries_failed_ones_again_unless_that_is_not_wanted(unruly, cache):
    experiment = unruly(2, "1:error")
    runs = train(experiment, cache)
    assert statuses(runs) == ["failed", "finished"]
    assert statuses(train(experiment, cache, retry_failed=False)) == ["failed", "finished"]
    assert len(events_of(runs[0], "started")) == 1
    assert statuses(train(experiment, cache)) == ["finished", "finished"]


def test_the_first_failure_ends_a_sweep_that_is_to_fail_fast(unruly, cache):
    with pytest.warns(UserWarning, match=r"^ended at the first failure, of run \w{16} .*and 3 runs were"):
        runs = train(unruly(4, "each"), cache, fail_fast=True)
    assert sorted(statuses(runs)) == ["failed", "planned", "planned", "planned"]


def test_its_end_is_said_once_where_several_workers_train(unruly, cache):
    with pytest.warns(UserWarning, match="^ended at the first failure, of run ") as warned:
        runs = sweep(unruly(6, "error"), "runs", cache, jobs=2, device="cpu", fail_fast=True)
    assert len(warned) == 1
    assert "failed" in statuses(runs)


def test_three_first_runs_that_fail_alike_end_the_sweep_and_the_others_can_be_trained(unruly, cache):
    experiment = unruly(5, "3:error")
    with pytest.warns(UserWarning, match="the first 3 runs failed alike, and the others were not tried: RuntimeError"):
        runs = train(experiment, cache)
    assert sorted(statuses(runs)) == ["failed"] * 3 + ["planned"] * 2
    runs = train(experiment, cache, retry_failed=False)
    assert sorted(statuses(runs)) == ["failed"] * 3 + ["finished"] * 2
    assert statuses(train(experiment, cache)) == ["finished"] * 5
    record_fault(
        "blocked", "the first three of five runs fail alike", 1,
        "the sweep ends and says so once; the same command trains all when that is mended",
        "ended after 3, then " + ", ".join(sorted(set(statuses(runs)))),
    )  # fmt: skip


@pytest.mark.parametrize("how", ["each", "2:error"], ids=["unlike", "one works"])
def test_failures_that_are_not_alike_end_nothing(unruly, cache, how):
    runs = train(unruly(4, how), cache)
    assert "planned" not in statuses(runs)


def test_the_first_runs_are_of_several_recipes_so_that_one_bad_one_ends_nothing(tiny, unruly, cache):
    experiment = replace(unruly(2, "fine"), recipes=tiny.recipes | {"x": tiny.recipes["crop"][:1]})
    log = Log()
    runs = {run.spec.id: run.spec.recipe for run in train(experiment, cache, log)}
    assert [runs[run] for run in log.order("finished")[:3]] == list(experiment.recipes.values())
    assert len(log.order("finished")) == 6


def test_a_run_without_memory_is_tried_again_alone_at_the_end(unruly, cache):
    log = Log()
    runs = train(unruly(3, "1:memory"), cache, log)
    assert statuses(runs) == ["finished"] * 3
    assert log.order("finished") == [run.spec.id for run in (runs[1], runs[2], runs[0])]
    (note,) = log.notes()
    assert note.startswith("out of memory on cpu (MemoryError); fewer workers (--jobs) leave it more")
    assert note.endswith("; it is tried again at the end, alone")
    record_fault(
        "blocked", "a run is out of memory beside others", 1, "tried again alone at the end", statuses(runs)[0]
    )


def test_one_that_has_none_alone_either_fails_with_advice(unruly, cache):
    (run,) = train(unruly(1, "memory"), cache)
    assert len(events_of(run, "failed")) == 2
    assert {event["cause"] for event in events_of(run, "failed")} == {"memory"}
    assert "a smaller batch_size is another experiment" in run.failure()
    record_fault("blocked", "a run is out of memory also alone", 1, "failed, with advice", run.failure())


def test_a_network_that_ends_the_program_fails_alone(unruly, cache):
    runs = train(unruly(2, "1:exit"), cache)
    assert statuses(runs) == ["failed", "finished"]
    assert runs[0].failure().endswith("of unruly.py ended the program by sys.exit(0); raise an error there")
    record_fault("blocked", "sys.exit(0) in a network", 1, "that run fails, with the line", runs[0].failure())


def test_a_network_that_ends_the_program_when_it_is_made_is_refused_before_any_run(tiny, tmp_path, cache, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("leaving.py").write_text("import sys\n\ndef network(classes):\n    sys.exit(0)\n")
    spec = replace(tiny, model="leaving:network").cells("")[0].spec
    options = Namespace(cache=cache, step="auto", memory_format="auto")
    tried = worker._try_out({"specs": [spec.to_plain()], "classes": 10}, options)
    (problem,) = tried["problems"]
    assert problem[0] == "line 4 of leaving.py ended the program by sys.exit(0); raise an error there"


def test_a_spec_that_is_edited_after_it_was_written_trains_no_other_run(unruly, cache):
    """While the first of three is trained, the files of all are edited."""
    experiment = unruly(3, "1:edit")
    runs = train(experiment, cache)
    written = [json.loads((run.folder / SPEC_FILE).read_text()) for run in runs]
    assert written == [run.spec.to_plain() for run in runs]
    assert [len(run.record().history) for run in runs] == [1, 1, 1]
    edited = {run.spec.id: read_digest(run.folder) for run in runs}
    calm = sweep(experiment, "calm", cache, jobs=1, device="cpu")
    assert {run.spec.id: read_digest(run.folder) for run in calm} == edited
    record_fault(
        "believed", "spec.json edited before and while its run is trained", 3,
        "the run that was asked for is trained, and the file says so again", "the same bits as undisturbed",
    )  # fmt: skip


class Elsewhere:
    """Another process that holds the first of two runs, as its kernel lock and its journal say."""

    def __init__(self, run):
        self.run = run
        run.prepare()
        self.lock = FileLock(run.folder / "lock", thread_local=False)
        self.lock.acquire()
        run.journal.append("started", device="cpu", host="elsewhere", process=78, command=77)

    def end(self, how, finished):
        """As the watch hears of the run: after a moment."""
        done = threading.Event()

        def later():
            if how == "finishes":
                self.run.journal.note("epoch", epoch=1, val_accuracy=0.5, images_per_second=10.0)
                done.wait(1.2)
                shutil.copytree(finished / self.run.spec.id, self.run.folder, dirs_exist_ok=True)
            if how == "fails":
                self.run.journal.append("failed", reason="it was too much there")
            self.lock.release()

        threading.Thread(target=later).start()


@pytest.fixture
def pair(tiny, cache, tmp_path, monkeypatch):
    """Two runs that were trained in `calm`, and that are about to be in `runs`: (experiment, its runs)."""
    monkeypatch.setattr(worker, "LOCK_SECONDS", 0.1)
    two = replace(tiny, recipes={"none": ()}, optimizers={"adam": tiny.optimizers["adam"]}, seeds=2)
    sweep(two, tmp_path / "calm", cache, jobs=1, device="cpu")
    return two, runs_of(two.cells(listing(two.data, cache).digest), folder_of(two, tmp_path / "runs"))


@pytest.mark.parametrize("how", ["finishes", "is killed", "fails"])
def test_a_run_that_another_process_trains_is_waited_for_or_taken_up(pair, cache, tmp_path, how):
    experiment, (first, _) = pair
    other = Elsewhere(first)
    ending = []

    def end(run, event):
        if event["event"] == "note" and not ending:
            ending.append(other.end(how, tmp_path / "calm" / experiment.name))

    log = Log(end)
    runs = sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", watch=log)
    assert "process 77 on elsewhere trains it" in log.notes()
    assert ("process 77 on elsewhere left it; it is trained here" in log.notes()) == (how == "is killed")
    assert statuses(runs) == ["failed" if how == "fails" else "finished", "finished"]
    started = [event["process"] for event in events_of(first, "started")]
    assert len(started) == (2 if how == "is killed" else 1)
    ended = [event for run, event in log.events if run == first.spec.id and event["event"] in ("finished", "failed")]
    assert len(ended) == 1
    if how == "fails":
        assert first.failure() == ended[0]["reason"] == "it was too much there"
    else:
        calm = tmp_path / "calm" / experiment.name
        assert [read_digest(run.folder) for run in runs] == [read_digest(calm / run.spec.id) for run in runs]
    if how == "finishes":
        assert first.spec.id in log.order("epoch"), "how far it is can be followed"
    record_fault(
        "blocked", f"another process trains a run, and {how}", 1,
        "waited for; what it left is taken up, what it ended is not",
        f"{statuses(runs)[0]}, started {len(started)} time(s)",
    )  # fmt: skip


def test_where_nobody_is_to_wait_it_says_at_once_who_trains_the_run(pair, cache, tmp_path):
    experiment, (first, second) = pair
    other = Elsewhere(first)
    with pytest.raises(HeldError) as raised:
        sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", join=False)
    other.lock.release()
    assert str(raised.value).startswith(f"process 77 on elsewhere trains the runs in {first.root}; without --no-join")
    assert not second.folder.exists(), "nothing was done before"
    assert statuses(sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", join=False)) == ["finished"] * 2


def test_a_process_that_is_about_to_train_is_known_too_and_leaves_no_name(pair, cache, tmp_path):
    experiment, (first, _) = pair
    with entered(first.root, join=True) as is_first:
        assert is_first
        with pytest.raises(HeldError, match=r"process \d+ on .* trains the runs in"):
            sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", join=False)
        (first.root / HOLDER_FILE).unlink()
        with pytest.raises(HeldError, match=r"^another process trains"), entered(first.root, join=False):
            pass
        with entered(first.root, join=True) as is_first:
            assert not is_first
    assert sorted(path.name for path in first.root.iterdir()) == [LOCK_FILE]


def test_one_that_joins_says_whom_it_helps_and_what_it_takes_up(pair, cache, tmp_path):
    experiment, (first, _) = pair
    log = Log()
    Elsewhere(first).lock.release()
    with entered(first.root, join=True):
        sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", watch=log)
    assert log.lines == [f"process {os.getpid()} on {platform.node()} trains this experiment, too: helping it"]
    taken_up = [(run, event["message"]) for run, event in log.events if event["event"] == "note"]
    assert taken_up == [(first.spec.id, "process 77 on elsewhere left it; it is trained here")]
    sweep(experiment, tmp_path / "runs", cache, jobs=1, device="cpu", watch=log)
    assert log.lines[1:] == ["all 2 runs are finished: nothing to train"]


def test_a_folder_with_the_name_of_the_sweeps_lock_is_named_and_removed_it_trains(unruly, cache):
    experiment = unruly(1, "none")
    lock = folder_of(experiment, Path("runs")) / LOCK_FILE
    lock.mkdir(parents=True)
    with pytest.raises(InputError) as raised:
        train(experiment, cache)
    assert str(raised.value) == f"{lock} is a folder, and must be a file: remove it"
    lock.rmdir()
    assert statuses(train(experiment, cache)) == ["finished"]


def test_what_a_killed_first_process_left_goes_also_where_nothing_is_to_be_trained(unruly, cache):
    experiment = unruly(1, "none")
    train(experiment, cache)
    root = folder_of(experiment, Path("runs"))
    (root / HOLDER_FILE).write_text('{"host": "gone", "process": 1}')
    with FileLock(root / LOCK_FILE):
        train(experiment, cache)
        assert (root / HOLDER_FILE).exists(), "of one that trains"
    train(experiment, cache)
    assert not (root / HOLDER_FILE).exists()
