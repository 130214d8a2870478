"""The benchmarks: what they share, that each starts, and one small measurement of whole grids side by side."""

import json
import platform
import statistics
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import photos
import pytest

from ablation.core.files import Journal
from ablation.models.networks import build, count_parameters

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SHARED = {"measure", "journals", "made"}
"""Files without a command of their own."""
SCRIPTS = sorted({file.stem for file in BENCHMARKS.glob("*.py")} - SHARED)


@pytest.fixture
def load(monkeypatch):
    """A function that imports a benchmark as its own command finds what it imports."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "arms"))

    def loaded(name):
        file = BENCHMARKS / f"{name}.py"
        spec = spec_from_file_location(f"benchmark_{file.stem}", file)
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return loaded


@pytest.fixture
def measure(load):
    return load("measure")


@pytest.fixture
def measurement(measure, tmp_path):
    return measure.Measurement("try", Namespace(results=tmp_path, machine="some-cores"), {"size": 3})


# --- numbers


def test_the_spread_is_that_of_the_rounds(measure):
    values = [5.0, 1.0, 4.0, 2.0, 9.0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    spread = measure.spread(values)
    assert (spread["lower_quartile"], spread["median"], spread["upper_quartile"]) == (low, median, high)
    assert (spread["min"], spread["max"], spread["rounds"]) == (1.0, 9.0, values)


def test_a_spread_of_nothing_is_refused(measure):
    with pytest.raises(ValueError, match="no round"):
        measure.spread([])


def test_ratios_are_taken_within_a_round(measurement):
    for one, other in ((1.0, 2.0), (10.0, 40.0), (3.0, 3.0)):
        measurement.add("case", "a", {"seconds": one})
        measurement.add("case", "b", {"seconds": other})
    measurement.add("case", "a", {"seconds": 100.0})  # a round that the other never had
    assert measurement.compare("case", "a", "b", "seconds")["rounds"] == [0.5, 0.25, 1.0]
    assert measurement.compare("case", "a", "nobody", "seconds") is None


# --- turns


def test_arms_take_turns_and_none_is_always_first(measure, measurement):
    calls = []
    arms = {name: lambda name=name: calls.append(name) or {"seconds": 1.0} for name in "abc"}
    measure.take_turns(measurement, "case", arms, 3)
    assert "".join(calls) == "abcbcacab"
    assert {name: len(measurement.rounds("case", name, "seconds")) for name in arms} == {"a": 3, "b": 3, "c": 3}


def test_a_warm_up_is_not_counted(measure, measurement):
    calls = []
    measure.take_turns(measurement, "case", {"a": lambda: calls.append(1) or {"n": len(calls)}}, 2, warm_up=True)
    assert measurement.rounds("case", "a", "n") == [2, 3]


def test_an_arm_that_fails_is_left_out_and_named(measure, measurement):
    calls = Counter()

    def fails():
        calls["fails"] += 1
        raise measure.Failed("no such device")

    measure.take_turns(measurement, "case", {"good": lambda: {"seconds": 1.0}, "bad": fails}, 3)
    assert calls["fails"] == 1
    assert len(measurement.rounds("case", "good", "seconds")) == 3
    assert measurement.notes == ["case: bad failed: no such device"]


def test_no_turn_begins_that_would_end_too_late(measure, measurement, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])

    def takes_twenty_seconds():
        clock[0] += 20
        return {"seconds": 20.0}

    measure.take_turns(measurement, "case", {"a": takes_twenty_seconds}, 10, minutes=0.9)
    assert len(measurement.rounds("case", "a", "seconds")) == 2
    assert "stopped before round 3 of a" in measurement.notes[0]


# --- the file


def test_the_file_has_each_round_as_soon_as_it_is_measured(measurement):
    for count in (1, 2):
        measurement.add("case", "a", {"seconds": float(count)})
        written = json.loads(measurement.path.read_text("utf-8"))
        assert written["results"]["case"]["a"]["seconds"]["rounds"] == [1.0, 2.0][:count]
    assert measurement.path.name == "try-some-cores.json"
    assert [file.name for file in measurement.path.parent.iterdir()] == [measurement.path.name]


def test_the_file_names_machine_and_versions_but_neither_host_nor_path(measurement):
    measurement.add("case", "a", {"seconds": 1.0})
    text = measurement.path.read_text("utf-8")
    content = json.loads(text)
    assert content["machine"]["cores"] >= 1
    assert content["versions"]["numpy"] == np.__version__
    assert f'"{platform.node()}"' not in text
    assert str(Path.home()) not in text
    assert str(BENCHMARKS.parent) not in text


# --- tables


def test_a_table_is_as_wide_as_a_terminal(measure):
    rows = [["a name that is much longer than there is room for in a terminal of eighty columns", "1", "2"]]
    table = measure.table(["arm", "images in a second", "another one"], [*rows, ["short", "1,234", "5"]])
    assert max(map(len, table.splitlines())) == measure.WIDTH
    assert [line.split()[-1] for line in table.splitlines()] == ["one", "2", "5"]


def test_a_table_that_cannot_fit_is_refused(measure):
    with pytest.raises(ValueError, match="do not fit"):
        measure.table(["a", *["x" * 20] * 5], [])


@pytest.mark.parametrize(("value", "shown"), [(1234.5, "1,234"), (0.5, "0.500"), (0.00012, "1.20e-04"), (None, "-")])
def test_numbers_have_three_digits(measure, value, shown):
    assert measure.number(value) == shown


# --- processes


def test_a_command_that_fails_says_how(measure):
    with pytest.raises(measure.Failed, match=r"(?s)exit status 3.*a reason"):
        measure.ran([sys.executable, "-c", "print('a reason'); raise SystemExit(3)"])


def test_the_time_of_a_process_is_taken_with_that_of_its_children(measure):
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    ended = measure.ran([sys.executable, "-c", code])
    assert ended.processor_seconds >= 0.3
    assert ended.ended - ended.began == pytest.approx(ended.seconds)


# --- journals


def write_journal(root, run, worker, times):
    """started, first step, each epoch's end, record: of one run."""
    started, first, *epochs, ended = times
    clock = iter([started, *epochs, ended])
    (root / run).mkdir(parents=True)
    journal = Journal(root / run / "journal.jsonl", clock=lambda: next(clock))
    journal.append("started", process=worker)
    for number, end in enumerate(epochs, 1):
        journal.append("epoch", epoch=number, seconds=end - ([first, *epochs][number - 1]))
    journal.append("finished")


def test_the_seconds_of_a_sweep_are_found_and_add_up(load, tmp_path):
    journals = load("journals")
    write_journal(tmp_path, "one", 7, [103.0, 103.5, 104.5, 105.5, 106.0])
    write_journal(tmp_path, "two", 7, [106.25, 106.5, 107.5, 108.0])
    write_journal(tmp_path, "three", 8, [105.0, 106.0, 109.0, 109.5])
    assert journals.gaps(tmp_path) == [pytest.approx(0.25)]
    assert journals.first_step(tmp_path) == pytest.approx(103.5)
    phases = journals.phases(tmp_path, 100.0, 110.0)
    assert sum(phases.values()) == pytest.approx(10.0)
    expected = {"before the first run": 4.0, "epochs": 3.0, "between runs": 0.125, "after the last run": 1.25}
    assert {name: phases[name] for name in expected} == pytest.approx(expected)


def test_a_run_that_has_not_ended_is_no_span(load, tmp_path):
    write_journal(tmp_path, "one", 7, [1.0, 2.0, 3.0, 4.0])
    Journal(tmp_path / "one" / "journal.jsonl").append("started", process=9)
    assert load("journals").spans(tmp_path) == []


# --- each script


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_says_what_it_does(name, load, monkeypatch, capsys):
    script = load(name)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 0
    assert f"python benchmarks/{name}.py" in capsys.readouterr().out


def test_memory_is_read_off_the_kernel_s_own_table(load, tmp_path):
    if platform.system() != "Linux":
        pytest.skip("it reads /proc, which only Linux has")
    memory = load("memory")
    np.save(tmp_path / memory.CACHE_FILE, np.ones(1 << 20, np.uint8))
    shown = np.load(tmp_path / memory.CACHE_FILE, mmap_mode="r")
    assert shown.sum() == 1 << 20
    lines = Path("/proc/self/smaps").read_text().splitlines()
    of_file = memory.memory_of(memory.mapped(lines, f"{tmp_path.name}/{memory.CACHE_FILE}"))  # of no other test
    assert of_file["rss"] == pytest.approx(1.0, abs=0.01)
    assert of_file["uss"] <= of_file["pss"] <= of_file["rss"]
    rollup = memory.memory_of(Path("/proc/self/smaps_rollup").read_text().splitlines())
    assert rollup["rss"] == pytest.approx(memory.memory_of(lines)["rss"], rel=0.05)


def test_records_that_differ_are_counted(load, tmp_path):
    quickstart = load("quickstart")
    for tree, digest in (("before", {"one": "a", "two": "b", "three": "c"}), ("now", {"one": "a", "two": "B"})):
        for run, name in digest.items():
            (tmp_path / tree / run).mkdir(parents=True)
            (tmp_path / tree / run / "record.json").write_text(json.dumps({"digest": name}))
    assert quickstart.same(tmp_path / "before", tmp_path / "now") == (1, 3)


# --- the arms


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return photos.folder(tmp_path_factory.mktemp("photographs"), {"temples": 20, "flowers": 20})


def test_the_small_network_of_the_arms_is_ours(load):
    theirs = load("arms/pipeline").network({"network": "shallow_cnn", "classes": 12})
    ours = build("shallow_cnn", 12)
    assert count_parameters(theirs) == count_parameters(ours)
    shapes = [[tuple(one.shape) for one in network.parameters()] for network in (theirs, ours)]
    assert shapes[0] == shapes[1]


def test_an_arm_that_does_less_is_found_out(load):
    grid = load("grid")
    grid.check("A", {"steps": 4, "trained": 30}, {"steps": 4, "trained": 30})
    with pytest.raises(grid.Failed, match="steps 3, not 4"):
        grid.check("A", {"steps": 3, "trained": 30}, {"steps": 4, "trained": 30})


def test_loop_and_ceiling_take_the_same_steps(load, photographs, tmp_path, settled):
    loop = load("loop")
    options = Namespace(photos=str(photographs), images=20, val=8, batch=8, clean=True)
    arms = loop.arms("shallow_cnn", options, tmp_path)
    assert list(arms) == [loop.LOOP, loop.CLEAN, loop.CEILING]
    ceiling = arms[loop.CEILING].__self__
    assert [len(images) for images, _ in ceiling.batches] == [8, 8, 4]
    before = [one.detach().clone() for one in ceiling.setup.model.parameters()]
    for arm in arms.values():
        assert arm()["images_per_second"] > 0
    assert any(not one.equal(other) for one, other in zip(ceiling.setup.model.parameters(), before, strict=True))


def test_a_grid_is_measured_beside_torchvision_s_reference(photographs, tmp_path, environment):
    words = ["shallow", str(photographs), "--arms", "A", "E", "--runs", "2", "--reference-runs", "1", "--epochs", "2"]
    sizes = ["--train", "12", "--val", "8", "--test", "8", "--batch", "8", "--rounds", "1"]
    where = ["--results", str(tmp_path), "--machine", "here"]
    command = [sys.executable, str(BENCHMARKS / "grid.py"), *words, *sizes, *where]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "torchvision reference" in ended.stdout
    written = json.loads((tmp_path / "grid-shallow-2-here.json").read_text("utf-8"))
    arms = written["results"]["shallow, 2 runs"]
    for arm, images in (("A", 24), ("E", 48)):
        rate, seconds = arms[arm]["images_per_second"]["median"], arms[arm]["seconds"]["median"]
        assert rate * seconds == pytest.approx(images, rel=1e-3)
    assert written["ratios"]["shallow, 2 runs"]["images_per_second: E / A"]["median"] > 0


# --- growth


def test_what_is_remembered_of_files_is_measured(load, tmp_path):
    measured = load("scale")._listing(100, tmp_path)
    assert measured["remembered, s cpu"] > 0
    assert measured["index MB"] > 0
