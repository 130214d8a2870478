"""What goes over between a sweep and the machines of a cluster, without any: checked on both sides."""

import json
import queue
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from faults import record_fault
from filelock import FileLock

from ablation import Brightness, ImageFunction, InputError, OneOf
from ablation.core.files import Journal
from ablation.experiment.record import read_digest
from ablation.experiment.runs import Run, runs_of
from ablation.experiment.seal import digest_of_file
from ablation.training.cluster import answers, machine
from ablation.training.cluster.answers import Refused, bring_home, check, journal_of, take_up
from ablation.training.cluster.machine import Machine, NoAnswer, Stopped, deliver
from ablation.training.cluster.session import (
    Item,
    Offer,
    Session,
    code_name,
    code_of,
    differences,
    items_of,
    key_of,
    versions,
)

# --- what comes back is checked before it is believed


@pytest.fixture
def away(finished, tmp_path):
    """A finished run on another machine, in a folder that may be spoilt; and the same run here, not begun."""
    run = runs_of(finished.results.cells, finished.results.root)[0]
    folder = shutil.copytree(run.folder, tmp_path / "away" / run.spec.id)
    here = Run(tmp_path / "here", run.spec)
    here.prepare()
    return folder, here


def announced(folder, names=answers.FILES):
    files = [folder / name for name in names if (folder / name).is_file()]
    return [[file.name, file.stat().st_size, digest_of_file(file)] for file in files]


def sender(folder, size=1000):
    """Sends a file in parts of so many bytes."""
    return lambda name, offset: (folder / name).read_bytes()[offset : offset + size]


def test_a_run_is_brought_home_in_parts_and_keeps_what_the_journal_held(away):
    folder, here = away
    Journal(here.journal.path, lambda: 1.0).append("failed", reason="of yesterday")
    before = journal_of(here)
    bring_home(here, announced(folder), sender(folder))
    check(here, "finished")
    assert here.status() == "failed", "nothing counts before it was taken up"
    take_up(here, before)
    assert here.status() == "finished"
    assert here.record() is not None
    assert read_digest(here.folder) == read_digest(folder)
    assert here.held().altered == ""
    events = here.journal.events()
    assert events[0]["reason"] == "of yesterday"
    assert events[1:] == Journal(folder / "journal.jsonl").events()
    assert not (here.folder / answers.ARRIVING).exists()


def other_run(folder, finished):
    other = runs_of(finished.results.cells, finished.results.root)[1]
    for name in answers.FILES:
        if (other.folder / name).exists():
            shutil.copy(other.folder / name, folder / name)


def edit(name, old, new):
    def spoil(folder, finished):
        content = (folder / name).read_bytes()
        assert old in content
        (folder / name).write_bytes(content.replace(old, new, 1))

    return spoil


def without(name):
    return lambda folder, finished: (folder / name).unlink()


SPOILT = {
    "the record of another run comes back": (other_run, "is that of the run"),
    "an accuracy in the record was changed on the machine": (
        edit("record.json", b'"accuracy": 0.', b'"accuracy": 1.'),
        "seal",
    ),
    "the arrays were cut": (
        lambda folder, finished: (folder / "arrays.npz").write_bytes((folder / "arrays.npz").read_bytes()[:-20]),
        "seal",
    ),
    "no record comes": (without("record.json"), "no record.json"),
    "no arrays come": (without("arrays.npz"), "arrays.npz is missing"),
    "no journal comes, and so no seal": (without("journal.jsonl"), "seal"),
    "what comes as a record is none": (lambda folder, finished: (folder / "record.json").write_text("[]"), "."),
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_is_no_result_of_the_run_is_refused(case, away, finished):
    (folder, here), (spoil, why) = away, SPOILT[case]
    spoil(folder, finished)
    bring_home(here, announced(folder), sender(folder))
    with pytest.raises(Refused, match=why) as refused:
        check(here, "finished")
    assert here.status() == "planned"
    record_fault("cluster", case, 1, "refused; the run has failed", refused.value)


def test_an_outcome_that_is_not_the_record_s_is_refused(away):
    folder, here = away
    bring_home(here, announced(folder), sender(folder))
    with pytest.raises(Refused, match="its record says finished, and the answer diverged"):
        check(here, "diverged")


def flip(content):
    return bytes([content[0] ^ 1]) + content[1:]


def test_a_file_that_arrives_otherwise_than_it_was_sent_is_refused(away):
    folder, here = away
    good = sender(folder)
    for part, why in (
        (lambda name, offset: flip(good(name, offset)) if offset == 1000 else good(name, offset), "digest is another"),
        (lambda name, offset: b"" if offset else good(name, offset), "ended after 1,000 of"),
        (lambda name, offset: None, "ended after 0 of"),
        (lambda name, offset: good(name, offset) + b"x" * 10**6, "digest is another"),
    ):
        with pytest.raises(Refused, match=why):
            bring_home(here, announced(folder), part)
    record_fault(
        "cluster", "a bit of a result turns on its way, or some of it is lost", 4, "refused", "refused 4 times"
    )


@pytest.mark.parametrize(
    "files", [[["../record.json", 1, ""]], [["lock", 1, ""]], [["record.json"]], 7, [["a", "b", "c"]]]
)
def test_files_that_no_run_has_are_refused_before_any_is_fetched(files, away, tmp_path):
    with pytest.raises(Refused):
        bring_home(away[1], files, lambda name, offset: pytest.fail("fetched"))
    assert {path.name for path in tmp_path.iterdir()} == {"away", "here"}


# --- what a machine needs


@pytest.fixture
def session(tmp_path):
    runs, cache = tmp_path / "caller" / "runs", tmp_path / "caller" / "cache"
    for folder in (runs, cache):
        folder.mkdir(parents=True)
    return Session(
        *("0123456789abcdef", key_of(runs), str(runs), str(cache), True, "cpu", False, None, "auto", "auto", None),
        versions=versions(),
    )


def test_a_session_comes_over_as_it_is(session):
    assert Session.from_json(session.to_json()) == session


@pytest.fixture
def caller(session):
    """The caller's end: serves what machines ask for, from an offer."""
    cache = Path(session.cache)
    (cache / "abc-8").mkdir()
    (cache / "abc-8" / "images.npy").write_bytes(bytes(range(256)) * 100)
    (cache / "abc-8" / "meta.json").write_text("{}")
    offer = Offer(cache, {"code1": {"my/net.py": b"x = 1\n"}})
    offer.allowed = {Item("cache", "abc-8"), Item("code", "code1")}
    return Caller(offer)


class Caller:
    """spoil: what is done to each part on its way; lost: so many answers are lost first."""

    def __init__(self, offer):
        self.offer, self.asked, self.lost, self.spoil = offer, [], 0, lambda part: part

    def tell(self, message):
        self.asked.append(message)
        if self.lost:
            self.lost -= 1
            return
        item = Item(*message["item"])
        content = json.dumps(self.offer.files(item))
        if "name" in message:
            content = self.spoil(self.offer.part(item, message["name"], message["offset"], machine.PART))
        deliver(message["ask"], content)


def nothing():
    return None


def test_a_cache_is_sent_in_parts_and_once(session, caller, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "PART", 10_000)
    one = Machine(session, tmp_path / "one", caller.tell, nothing)
    one.provide(Item("cache", "abc-8"))
    images = one.cache / "abc-8" / "images.npy"
    assert one.cache == tmp_path / "one" / "cache"
    assert images.read_bytes() == bytes(range(256)) * 100
    assert [message["offset"] for message in caller.asked if message.get("name") == "abc-8/images.npy"] == [
        *(0, 10_000, 20_000)
    ]
    asked = len(caller.asked)
    Machine(session, tmp_path / "one", caller.tell, nothing).provide(Item("cache", "abc-8"))
    assert len(caller.asked) == asked, "another Dask worker of the machine asks for nothing"


def test_a_cache_of_an_earlier_sweep_is_compared_and_only_what_differs_is_sent(session, caller, tmp_path):
    Machine(session, tmp_path / "one", caller.tell, nothing).provide(Item("cache", "abc-8"))
    images = tmp_path / "one" / "cache" / "abc-8" / "images.npy"
    images.write_bytes(flip(images.read_bytes()))
    caller.asked.clear()
    later = replace(session, id="fedcba9876543210")
    Machine(later, tmp_path / "one", caller.tell, nothing).provide(Item("cache", "abc-8"))
    assert images.read_bytes() == bytes(range(256)) * 100
    assert [message.get("name") for message in caller.asked] == [None, "abc-8/images.npy"]
    record_fault(
        "cluster", "pixels turned in a cache that a machine has kept", 1, "sent anew", "the file was sent anew"
    )


def test_two_workers_of_a_machine_fetch_a_cache_once(session, caller, tmp_path):
    workers = [
        threading.Thread(target=Machine(session, tmp_path / "one", caller.tell, nothing).provide, args=[item])
        for item in [Item("cache", "abc-8")] * 2
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [message.get("name") for message in caller.asked] == [None, "abc-8/images.npy", "abc-8/meta.json"]


def test_what_is_lost_on_the_way_is_asked_for_again(session, caller, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "PATIENCE", 0.5)
    caller.lost = 2
    Machine(session, tmp_path / "one", caller.tell, nothing).provide(Item("code", "code1"))
    assert (tmp_path / "one" / "code" / "code1" / "my" / "net.py").read_bytes() == b"x = 1\n"
    monkeypatch.setattr(machine, "ASKED_AT_MOST", 2)
    caller.lost = 100
    with pytest.raises(NoAnswer, match="asked for 2 times"):
        Machine(session, tmp_path / "two", caller.tell, nothing).provide(Item("code", "code1"))


def test_what_arrives_otherwise_than_announced_is_not_used(session, caller, tmp_path):
    caller.spoil = flip
    with pytest.raises(NoAnswer, match="digest is another"):
        Machine(session, tmp_path / "one", caller.tell, nothing).provide(Item("cache", "abc-8"))
    assert not (tmp_path / "one" / "cache" / "abc-8" / "images.npy").exists()
    record_fault("cluster", "a bit of the cache turns on its way to a machine", 1, "not used", "the digest is another")


def test_a_wait_for_the_caller_ends_with_the_task(session, tmp_path):
    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        Machine(session, tmp_path / "one", lambda message: None, stop).provide(Item("code", "code1"))


def test_only_what_runs_need_is_given_away(session, caller):
    for item in (Item("cache", "../../etc"), Item("cache", "abc-16"), Item("weights", "ab"), Item("code", "other")):
        with pytest.raises(ValueError, match="is not offered"):
            caller.offer.files(item)


# --- whether folders are shared


def test_a_folder_is_shared_where_the_mark_is_read_and_the_lock_is_held(session, tmp_path):
    one = Machine(session, tmp_path / "one", lambda message: None, nothing)
    assert (one.runs, one.cache) == (tmp_path / "one" / "runs" / session.key, tmp_path / "one" / "cache")
    for folder in (session.runs, session.cache):
        (Path(folder) / session.mark).write_text(session.id)
    assert one.cache == Path(session.cache)
    assert not one.shares_runs, "the caller's lock does not hold here"
    held, release = queue.SimpleQueue(), threading.Event()

    def hold():
        with FileLock(Path(session.runs) / f"{session.mark}.lock"):
            held.put(None)
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.get(timeout=30)
    assert one.shares_runs
    assert not replace(one, session=replace(session, shared=False)).shares_cache
    release.set()
    holder.join()
    (Path(session.runs) / session.mark).write_text("another caller's")
    assert not one.shares_runs


# --- code of one's own, versions


def function_in(folder, name="mine.py"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("def invert(picture, generator):\n    return 1 - picture\n")


def test_the_code_that_specs_need_is_found_however_deep(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function_in(tmp_path, "ops/mine.py")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("")
    (tmp_path / "nets" / "small.py").write_text("def network(classes): ...\n")
    own = OneOf((Brightness(0.1), ImageFunction("ops/mine.py:invert")))
    spec = replace(tiny, recipes={"none": (), "own": (own,)}, model="nets.small:network").cells("0")[-1].spec
    files = code_of([spec])
    assert sorted(files) == ["nets/__init__.py", "nets/small.py", "ops/mine.py"]
    assert files["ops/mine.py"] == (tmp_path / "ops" / "mine.py").read_bytes()
    assert Item("code", code_name(files)) in items_of(spec, code_name(files))
    assert code_name(files) != code_name({**files, "ops/mine.py": b""})


def test_a_path_that_no_other_machine_has_is_refused(tiny, tmp_path):
    function_in(tmp_path)
    own = ImageFunction(f"{tmp_path / 'mine.py'}:invert")
    spec = replace(tiny, recipes={"none": (), "own": (own,)}).cells("0")[-1].spec
    with pytest.raises(InputError, match="no other machine has this path; name the file from the working folder"):
        code_of([spec])


def test_differences_of_versions_are_named():
    ours = versions()
    assert differences(ours, ours) == ""
    theirs = {**ours, "torch": "1.0"}
    del theirs["numpy"]
    assert differences(theirs, ours) == f"torch 1.0 (here {ours['torch']}), numpy missing (here {ours['numpy']})"
    assert set(ours) == {"python", "ablation", "torch", "torchvision", "numpy", "pillow", "scipy", "scikit-learn"}
    assert "missing" not in ours.values()
