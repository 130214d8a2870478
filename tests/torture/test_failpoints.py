"""A crash before every write, flush and rename: the same command ends with the same bits, file by file.

What is tried is the program itself, see `failpoints.py`. `test_torture_sample.py` has some of these in the fast tests.
"""

import re
from collections import Counter

import pytest
from crashes import FILES, Undisturbed
from faults import record_fault

pytestmark = pytest.mark.slow

ONLY_KILLED = re.compile(r"(mkdir|rmdir|unlink)")
"""Operations that tear nothing and need no flush: a crash there is a kill."""


@pytest.fixture(scope="module")
def undisturbed(lanes):
    return Undisturbed(lanes)


@pytest.mark.parametrize("kind", FILES)
def test_a_crash_at_every_point_leaves_no_trace(kind, undisturbed, lanes):
    points = undisturbed.points_of(kind)
    assert points, "the file is not written"
    counts = Counter(point.split()[1] for point in points)
    wrong = undisturbed.crashes(lanes, "kill", points)
    record_fault(
        "kills",
        f"SIGKILL before every operation on a file of the kind: {kind}",
        len(points),
        "the same command ends with the same files, bit for bit",
        f"{len(points) - len(wrong)} of {len(points)} so ({', '.join(f'{n} {name}' for name, n in counts.items())})",
    )
    assert not wrong, "\n\n".join(wrong)


def test_every_point_is_of_a_known_file(undisturbed):
    """A file that is written in another way than these would not be tried."""
    known = {point for kind in FILES for point in undisturbed.points_of(kind)}
    assert {*undisturbed.points} - known == set()


def test_a_write_that_is_torn_anywhere_leaves_no_trace(undisturbed, lanes):
    points = [point for point in undisturbed.points if " write " in point]
    wrong = undisturbed.crashes(lanes, "torn", points)
    record_fault(
        "kills",
        "a write that is torn: half of it reaches the file, then SIGKILL",
        len(points),
        "the same command ends with the same files, bit for bit",
        f"{len(points) - len(wrong)} of {len(points)} so",
    )
    assert not wrong, "\n\n".join(wrong)


def test_a_power_cut_leaves_no_trace(undisturbed, lanes):
    points = [point for point in undisturbed.points if " write " not in point and not ONLY_KILLED.search(point)]
    wrong = undisturbed.crashes(lanes, "power", points)
    record_fault(
        "kills",
        "the power is cut: all processes end, and what was not flushed to the disk is lost",
        len(points),
        "the same command ends with the same files, bit for bit",
        f"{len(points) - len(wrong)} of {len(points)} so",
    )
    assert not wrong, "\n\n".join(wrong)
