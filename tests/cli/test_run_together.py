"""Two `ablation run` of one experiment: both end with status 0 and the same verdicts, whenever the second starts."""

import os
import signal
import subprocess
import sys
import time

import pytest
from faults import record_fault
from project import write_experiment

from ablation.experiment.preregistration import PREREGISTRATION_FILE, preregistered
from ablation.experiment.record import read_digest

COMMAND = (sys.executable, "-m", "ablation.cli.main", "run", "small", "--no-tracking", "--device", "cpu", "-j", "1")


def start(folder, environment):
    return subprocess.Popen(
        COMMAND, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def verdicts(out):
    """What is printed of the results, below an empty line, without what was printed of the training."""
    return out.partition("\n\n")[2]


def digests(folder):
    return {path.name: read_digest(path) for path in (folder / "runs" / "small").iterdir() if path.is_dir()}


def both(folder, environment, seconds=0.0):
    """How two commands end, the second of which starts so much later."""
    first = start(folder, environment)
    time.sleep(seconds)
    second = start(folder, environment)
    ended = [(*process.communicate(), process.returncode) for process in (first, second)]
    return [(out, err, code) for out, err, code in ended]


def check(folder, ended):
    for out, err, code in ended:
        assert code == 0, err
        assert "did not finish" not in err
        assert verdicts(out)
    assert verdicts(ended[0][0]) == verdicts(ended[1][0])
    assert len(preregistered(folder / "runs" / "small")) == 1, "of one plan there is one declaration"
    assert not list(folder.glob("**/*.tmp"))


def test_two_first_commands_at_once_train_each_run_once_and_say_the_same(tmp_path, environment):
    write_experiment(tmp_path, epochs=8)
    ended = both(tmp_path, environment)
    check(tmp_path, ended)
    journals = [path.read_bytes() for path in tmp_path.glob("runs/small/*/journal.jsonl")]
    assert [journal.count(b'"started"') for journal in journals] == [1] * 6
    record_fault(
        "blocked", "a second `ablation run` beside a first", 1, "both end with status 0 and the same verdicts",
        f"exit {ended[0][2]} and {ended[1][2]}; each of {len(journals)} runs trained once",
    )  # fmt: skip


@pytest.mark.torture
@pytest.mark.slow
def test_ten_times_two_first_commands_at_once(tmp_path, environment):
    """A cache, a preregistration and runs are made by both: each by one of them, with the same bits."""
    write_experiment(tmp_path / "calm")
    subprocess.run(COMMAND, cwd=tmp_path / "calm", env=environment, check=True, capture_output=True)
    for number in range(10):
        folder = tmp_path / str(number)
        write_experiment(folder)
        check(folder, both(folder, environment, seconds=number * 0.05))
        assert digests(folder) == digests(tmp_path / "calm")
        declared = (folder / "runs" / "small" / PREREGISTRATION_FILE).read_bytes()
        assert declared.count(b'"declared"') == 1
    record_fault(
        "blocked", "two first `ablation run` started at the same moment", 10,
        "status 0, the same verdicts, the same bits as alone", "10 of 10",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_the_second_takes_up_what_a_first_leaves_that_is_ended(tmp_path, environment, end):
    write_experiment(tmp_path, epochs=30)
    first = start(tmp_path, environment)
    while not list(tmp_path.glob("runs/small/*/checkpoint.pt")):
        assert first.poll() is None
        time.sleep(0.02)
    second = start(tmp_path, environment)
    while len(list(tmp_path.glob("runs/small/*/journal.jsonl"))) < 2:
        time.sleep(0.02)
    os.kill(first.pid, end)
    first.communicate()
    _, err = second.communicate()
    assert second.returncode == 0, err
    assert len([digest for digest in digests(tmp_path).values() if digest]) == 6
    record_fault(
        "blocked", f"the first of two `ablation run` is ended by {end.name}", 1,
        "the second takes up what it leaves", f"exit {second.returncode}, 6 of 6 runs finished",
    )  # fmt: skip
