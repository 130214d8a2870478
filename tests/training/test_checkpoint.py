"""Checkpoints: one that is not as it was written, or does not fit its run, costs time and nothing else."""

import os
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import record_fault

from ablation import Adam, Lookahead, sweep
from ablation.data import build, listing
from ablation.experiment.record import read_digest
from ablation.experiment.runs import history_of, runs_of
from ablation.training.checkpoint import Refused, _read, resume, save, write_checkpoint
from ablation.training.execution import AS_USUAL
from ablation.training.finish import environment_of
from ablation.training.loop import train
from ablation.training.setup import Setup
from ablation.training.watch import Silent

pytestmark = pytest.mark.usefixtures("settled")

CPU = torch.device("cpu")
HERE = environment_of(CPU) | AS_USUAL.on("cpu", "shallow_cnn").environment
EPOCHS = 4


@pytest.fixture(scope="module")
def longer(small):
    return replace(small, epochs=EPOCHS, dropout=0.2)


def stop(event):
    if event["epoch"] == 3:
        raise KeyboardInterrupt


def prepared(experiment, root, cache):
    """The first run of an experiment, and a function that trains it."""
    data = listing(experiment.data, cache)
    run = runs_of(experiment.cells(data.digest), root)[0]
    run.prepare()
    pixels = build(data, run.spec.cache_size, cache)
    return run, partial(train, run, pixels, CPU, cache=cache), partial(Setup.of, run, pixels, CPU, cache)


@pytest.fixture(scope="module")
def kept(longer, cache, settled, tmp_path_factory):
    """A run that was stopped in its third epoch, with the checkpoints of the first and second: not to be changed."""
    run, training, _ = prepared(longer, tmp_path_factory.mktemp("kept"), cache)
    with pytest.raises(KeyboardInterrupt):
        training(report=stop)
    return run


@pytest.fixture
def stopped(kept, tmp_path):
    """A copy of it."""
    shutil.copytree(kept.root, tmp_path / "stopped")
    return replace(kept, root=tmp_path / "stopped")


@pytest.fixture(scope="module")
def setup(longer, cache, settled, tmp_path_factory):
    """What that run trains with; tests compare what it holds before and after."""
    return prepared(longer, tmp_path_factory.mktemp("setup"), cache)[2]()


def held(setup):
    """Every number of its model and optimizer."""
    return list(flat({name: part.state_dict() for name, part in setup.learned.items()}))


def flat(state):
    """Every entry of nested states, tensors by their bytes."""
    if isinstance(state, torch.Tensor):
        yield state.numpy().tobytes()
    elif isinstance(state, dict | list | tuple):
        for name, one in state.items() if isinstance(state, dict) else enumerate(state):
            yield name
            yield from flat(one)
    else:
        yield state


def edited(change):
    """Change what a checkpoint holds, and write it with a checksum that fits."""

    def edit(path):
        state = _read(path)
        other = change(state)
        write_checkpoint(path, state if other is None else other)

    return edit


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_checksum(path):
    """As the versions before wrote it."""
    torch.save(_read(path), path)


def instead(make):
    """Something else of that name."""

    def replaced(path):
        path.unlink()
        make(path)

    return replaced


def a_folder(path):
    path.mkdir()
    (path / "of somebody").write_text("kept")


def drop(state, name):
    del state[name]


def of(*names):
    """What a checkpoint holds under these names, one in another."""

    def inner(state):
        for name in names:
            state = state[name]
        return state

    return inner


MOMENTS = of("optimizer", "state", 0)
DAMAGES = {
    "one bit flipped": flipped,
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "an empty file": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no checkpoint"),
    "without a checksum, as versions before wrote it": without_checksum,
    "a folder": instead(a_folder),
    "a link to nothing": instead(lambda path: path.symlink_to("nowhere.pt")),
    "a link to itself": instead(lambda path: path.symlink_to(path.name)),
    "a pipe": instead(os.mkfifo),
    "a list": edited(lambda state: [state]),
    "a key missing": edited(lambda state: drop(state, "optimizer")),
    "a key too many": edited(lambda state: state | {"more": 1}),
    "of another run": edited(lambda state: state | {"run": "0123456789abcdef"}),
    "of another device": edited(lambda state: state | {"environment": {"device": "another"}}),
    "a weight missing": edited(lambda state: drop(state["model"], "head.bias")),
    "a weight of another shape": edited(lambda state: state["model"].update({"head.bias": torch.zeros(11)})),
    "a weight of another type": edited(lambda state: state["model"].update({"head.bias": torch.zeros(10).double()})),
    "weights that are a list": edited(lambda state: state.update(model=list(state["model"].values()))),
    "an optimizer of two groups": edited(
        lambda state: state["optimizer"]["param_groups"].append(state["optimizer"]["param_groups"][0])
    ),
    "an optimizer with other settings": edited(
        lambda state: state["optimizer"]["param_groups"][0].update(betas=(0.5, 0.999))
    ),
    "an optimizer that knows nothing": edited(lambda state: state["optimizer"]["state"].clear()),
    "a moment missing": edited(lambda state: drop(MOMENTS(state), "exp_avg")),
    "a moment of another shape": edited(lambda state: MOMENTS(state).update(exp_avg=torch.zeros(3))),
    "a moment of another type": edited(lambda state: MOMENTS(state).update(exp_avg=MOMENTS(state)["exp_avg"].double())),
    "a history that is a number": edited(lambda state: state | {"history": 3}),
    "a history with a gap": edited(lambda state: state["history"][-1].update(epoch=9)),
    "a history of text": edited(lambda state: state["history"][-1].update(lr="fast")),
    "a history of more epochs than there are": edited(
        lambda state: state.update(history=[state["history"][0] | {"epoch": n + 1} for n in range(EPOCHS)])
    ),
    "no history": edited(lambda state: state["history"].clear()),
    "changes that are a text": edited(lambda state: state | {"changes": "none"}),
    "notes that are numbers": edited(lambda state: state | {"notes": [1]}),
}


@pytest.mark.parametrize("which", ["newest", "both"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_checkpoint_is_left_aside(damage, which, stopped, setup):
    """The newest one: the run goes on from the one before. Both: it starts over, and nothing was loaded of them."""
    newest, before = stopped.checkpoints
    good = _read(before)
    for path in (newest, before)[: 1 if which == "newest" else 2]:
        DAMAGES[damage](path)
    at_first, lines = held(setup), []
    progress = resume(stopped, setup.learned, HERE, lines.append)
    [event] = [one for one in stopped.journal.events() if one["event"] != "epoch"]
    assert lines[0].startswith(event["reason"])
    if which == "newest":
        assert (event["event"], event["epoch"]) == ("fallback", 1)
        assert lines[0].endswith("; the run goes on from the one before, after epoch 1")
        assert progress.history == good["history"]
        assert held(setup) == list(flat({name: good[name] for name in setup.learned}))
    else:
        assert event["event"] == "restarted"
        assert lines[0].endswith("; the run starts over")
        assert (progress.history, progress.newest) == ([], None)
        assert held(setup) == at_first
    progress.history.append(_read_history(good, len(progress.history) + 1))
    save(stopped, setup.learned, progress, HERE)
    assert len(resume(stopped, setup.learned, HERE).history) == len(progress.history), "the new one is whole"
    assert os.path.lexists(before) == (which == "newest"), "what is not of this training is not kept"
    aside = {"a folder": {"newest": 1, "both": 2}[which]}.get(damage, 0)
    assert len(list(stopped.folder.glob("*/of somebody"))) == aside, "a folder is none of ours, and is not removed"
    record_fault(
        "believed",
        f"a checkpoint that is bad: {damage}",
        1,
        "the one before is gone on from; of both bad, the run starts over with nothing of them loaded",
        {"newest": f"goes on after epoch {event.get('epoch')}", "both": "starts over"}[which],
    )


def _read_history(state, epoch):
    return state["history"][0] | {"epoch": epoch}


@pytest.mark.parametrize("which", ["newest", "both"])
@pytest.mark.parametrize("damage", ["one bit flipped", "a folder", "a moment of another shape"])
def test_a_bad_checkpoint_costs_time_and_changes_no_bit(damage, which, longer, stopped, cache, trained_once):
    _, record, arrays = trained_once(longer)
    for path in stopped.checkpoints[: 1 if which == "newest" else 2]:
        DAMAGES[damage](path)
    events = []
    _, training, _ = prepared(longer, stopped.root, cache)
    again, arrays_again = training(report=events.append)
    assert again.digest(arrays_again) == record.digest(arrays)
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [
        *([1] if which == "both" else []), 2, 3, 4,
    ]  # fmt: skip
    assert [event["event"] for event in events].count("note") == 1
    assert [_read(path)["history"][-1]["epoch"] for path in stopped.checkpoints] == [3, 2]
    record_fault(
        "believed", "a run that goes on beside bad checkpoints", 1, "the same bits", "the same digest of the record"
    )


def test_an_epoch_that_is_repeated_from_the_older_checkpoint_counts_once(longer, stopped, cache):
    flipped(stopped.checkpoint)
    record, _ = prepared(longer, stopped.root, cache)[1]()
    events = [event for event in stopped.journal.events() if event["event"] == "epoch"]
    assert [event["epoch"] for event in events] == [1, 2, 3, 2, 3, 4]
    figures = [{name: event[name] for name in record.history[0]} for event in events]
    assert figures[1:3] == figures[3:5], "a repeated epoch has the same bits"
    assert [event["epoch"] for event in history_of(stopped)] == [1, 2, 3, 4]
    first = {}
    for event in events:
        first.setdefault(event["epoch"], event["seconds"])
    assert record.cost["seconds"] == round(sum(first.values()), 2)


def test_without_the_newest_the_one_before_is_gone_on_from_and_nothing_is_said(stopped, setup):
    """As a kill between the two renames of a new checkpoint leaves it."""
    stopped.checkpoint.unlink()
    lines = []
    assert len(resume(stopped, setup.learned, HERE, lines.append).history) == 1
    assert lines == []
    assert {event["event"] for event in stopped.journal.events()} == {"epoch"}


def test_the_checkpoint_of_another_run_of_the_same_shape_is_refused(longer, stopped, setup, cache, tmp_path):
    other, training, _ = prepared(replace(longer, seeds=(1,)), tmp_path / "other", cache)
    training()
    for mine, its in zip(stopped.checkpoints, other.checkpoints, strict=True):
        shutil.copy(its, mine)
    assert resume(stopped, setup.learned, HERE).history == []
    [restarted] = [event for event in stopped.journal.events() if event["event"] == "restarted"]
    assert restarted["reason"] == f"the checkpoint is that of the run {other.spec.id}, and not of {stopped.spec.id}"
    record_fault("believed", "another run's checkpoint, of the same shape", 1, "refused", restarted["reason"])


@pytest.mark.skipif(os.geteuid() != 0, reason="takes the rights of another user: needs root")
def test_a_checkpoint_without_read_permission_is_left_aside(kept, setup):
    with tempfile.TemporaryDirectory() as name:  # where another user may go
        mine = replace(kept, root=Path(name))
        shutil.copytree(kept.folder, mine.folder)
        for path in (mine.root, *mine.root.rglob("*")):
            os.chown(path, 65534, 65534)
        mine.checkpoint.chmod(0)
        os.seteuid(65534)
        try:
            progress = resume(mine, setup.learned, HERE)
        finally:
            os.seteuid(0)
        [fallback] = [event for event in mine.journal.events() if event["event"] == "fallback"]
    assert len(progress.history) == 1
    assert fallback["reason"] == "the checkpoint cannot be read: Permission denied"
    record_fault("believed", "a checkpoint that may not be read", 1, "the one before", fallback["reason"])


WRAPPED = {
    "average": (("optimizer",), {"ema": 0.9}),
    "lookahead": (("optimizer", "within"), {"optimizers": {"o": Lookahead(Adam(), k=2)}}),
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_of_a_checkpoint_that_does_not_fit_nothing_is_loaded(wrapped, longer, cache, tmp_path):
    """The optimizer is looked at after the model: by then no weight may have been put into that."""
    inner, choice = WRAPPED[wrapped]
    run, training, setup_of = prepared(replace(longer, **choice), tmp_path, cache)
    with pytest.raises(KeyboardInterrupt):
        training(report=stop)
    for path in run.checkpoints:
        edited(lambda state: of(*inner)(state)["state"][5].update(exp_avg_sq=torch.zeros(2)))(path)
    setup = setup_of()
    at_first = held(setup)
    assert resume(run, setup.learned, HERE).history == []
    assert held(setup) == at_first


def test_random_flips_of_a_bit_are_noticed_each(kept, stopped, setup):
    """100 of them, anywhere in the file and at its ends: none is read, and the one before is loaded as it was."""
    whole = kept.checkpoint.read_bytes()
    older = _read(kept.checkpoints[1])
    draws, noticed = np.random.Generator(np.random.Philox(19)), 0
    bits = [*draws.integers(0, 8 * len(whole), 84), *range(8), *range(8 * len(whole) - 8, 8 * len(whole))]
    for number, bit in enumerate(bits):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << int(bit) % 8
        stopped.checkpoint.write_bytes(content)
        with pytest.raises(Refused, match="checksum"):
            _read(stopped.checkpoint)
        noticed += 1
        if number % 10 == 0:
            assert resume(stopped, setup.learned, HERE).history == older["history"]
            assert held(setup) == list(flat({name: older[name] for name in setup.learned}))
    stopped.checkpoint.write_bytes(whole)
    assert len(resume(stopped, setup.learned, HERE).history) == 2
    record_fault(
        "believed", "one bit of a checkpoint flipped, anywhere", noticed,
        "the one before is loaded", f"{noticed} noticed",
    )  # fmt: skip


class Listening(Silent):
    def __init__(self):
        self.events = []

    def event(self, run, event):
        self.events.append(event)


def test_a_sweep_says_what_a_run_goes_on_from_and_leaves_no_checkpoint(longer, stopped, cache, inside, trained_once):
    _, record, arrays = trained_once(longer)
    flipped(stopped.checkpoint)
    watch = Listening()
    root = stopped.root.rename(stopped.root.with_name(longer.name)).parent
    [run] = sweep(longer, root, cache, jobs=1, device="cpu", watch=watch)
    assert read_digest(run.folder) == record.digest(arrays)
    [note] = [event["message"] for event in watch.events if event["event"] == "note"]
    assert note == (
        "the checkpoint cannot be read: it does not have its checksum;"
        " the run goes on from the one before, after epoch 1"
    )
    assert not list(run.folder.glob("checkpoint*"))


def test_a_folder_called_checkpoint_does_not_stop_a_run_of_one_epoch(small, tmp_path, cache, inside):
    short = replace(small, epochs=1)
    run, _, _ = prepared(short, tmp_path / short.name, cache)
    a_folder(run.checkpoint)
    [run] = sweep(short, tmp_path, cache, jobs=1, device="cpu")
    assert run.status() == "finished"
    assert run.journal.events()[-1]["event"] == "finished"


def test_what_another_device_left_is_kept_until_there_is_something_newer(stopped, setup):
    """Who has started on the wrong machine can go back to the right one, until the first checkpoint here."""
    elsewhere = HERE | {"device": "another"}
    progress = resume(stopped, setup.learned, elsewhere)
    assert progress.history == []
    assert [path.exists() for path in stopped.checkpoints] == [True, True]
    progress.history.append(_read(stopped.checkpoint)["history"][0])
    save(stopped, setup.learned, progress, elsewhere)
    assert [path.exists() for path in stopped.checkpoints] == [True, False], "those of two devices are never mixed"
    assert resume(stopped, setup.learned, HERE).history == []
