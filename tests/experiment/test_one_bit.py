"""One bit of a finished run's files or of the declaration turned: it is noticed, or nothing that is read is another.

That what is noticed is named by every command, and left out, is tried in test_attacks.py.
"""

import shutil
from collections import Counter

import forged
import numpy as np
import pytest
from faults import record_fault

from ablation.core.errors import DataError
from ablation.experiment.preregistration import PREREGISTRATION_FILE, preregistered
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, present, read_arrays
from ablation.experiment.runs import Run
from ablation.experiment.seal import JOURNAL_FILE

FLIPS = 100
"""Of each kind of file."""

KINDS = {"record": RECORD_FILE, "arrays": ARRAYS_FILE, "journal": JOURNAL_FILE, "declaration": PREREGISTRATION_FILE}


@pytest.fixture
def run(finished, tmp_path) -> Run:
    """A copy of one finished run, in a folder with the experiment's declaration."""
    one = finished.results.run(finished.results.frame["id"][4])
    root = tmp_path / "small"
    shutil.copytree(one.folder, root / one.spec.id)
    shutil.copy(one.root / PREREGISTRATION_FILE, root)
    return Run(root, one.spec)


def what_is_read(run: Run) -> tuple[object, ...] | str:
    """All that tables and reports are made of, or the first words about what is wrong."""
    held = run.held()
    if held.altered or held.lost:
        return held.altered or "lost lines"
    try:
        plans = preregistered(run.root)
    except DataError as error:
        return str(error)
    arrays = {name: array.tobytes() for name, array in present(read_arrays(run.folder, held.arrays)).items()}
    return held.record, held.digest, held.seal, arrays, run.journal.events(), plans


def what_is_certain(run: Run) -> tuple[object, ...] | str:
    """The same of a run without a seal: cost, environment, notes and journal are not in its record's digest."""
    held = run.held()
    if held.record is None:
        return held.altered
    one, arrays = held.record, present(read_arrays(run.folder, held.arrays))
    scores = one.id, one.outcome, one.history, one.metrics, one.evidence
    return scores, held.digest, {name: array.tobytes() for name, array in arrays.items()}


def flipped(run: Run, name: str, read) -> Counter[str]:
    """How many flips of a file's bits were noticed, and how many changed nothing; those that changed something."""
    file = run.root / name if name == PREREGISTRATION_FILE else run.folder / name
    whole, expected = file.read_bytes(), read(run)
    assert not isinstance(expected, str), expected
    draws, counts = np.random.Generator(np.random.Philox(len(whole))), Counter[str]()
    last = 8 * (len(whole) - 1)  # the end of the last line: a torn tail, as a kill leaves it, has none
    for bit in (*range(last, last + 8), *draws.integers(8 * len(whole), size=FLIPS - 8)):
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << (bit % 8)
        file.write_bytes(turned)
        seen = read(run)
        counts["noticed" if isinstance(seen, str) else "no change" if seen == expected else f"silent: bit {bit}"] += 1
    file.write_bytes(whole)
    assert read(run) == expected
    return counts


@pytest.mark.parametrize(("kind", "name"), KINDS.items(), ids=KINDS)
def test_a_flipped_bit_of_a_sealed_run_is_noticed(run, kind, name):
    counts = flipped(run, name, what_is_read)
    assert counts == {"noticed": FLIPS}
    record_fault("believed", f"one bit of a {kind} flipped", FLIPS, "noticed, or nothing changes", f"{FLIPS} noticed")


@pytest.mark.parametrize("name", [RECORD_FILE, ARRAYS_FILE])
def test_a_flipped_bit_of_an_older_run_is_noticed_or_changes_no_score(run, name):
    forged.make_older(run.folder)
    counts = flipped(run, name, what_is_certain)
    assert set(counts) <= {"noticed", "no change"}, counts
    seen = f"{name}: {counts['noticed']} noticed, {counts['no change']} changed no score, no prediction"
    record_fault(
        "believed", "one bit of an older run's record or arrays flipped", FLIPS, "noticed, or no score changes", seen
    )
