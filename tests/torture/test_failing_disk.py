"""A disk that fails at any operation: full (ENOSPC), broken (EIO), or one that takes half of what it is given.

Nothing is lost, no wrong file has a final name, the command says what failed and where, and the next one goes on to the
same bits. See `failpoints.py` for how the disk is made to fail.
"""

import re

import pytest
from crashes import Undisturbed
from faults import record_fault

pytestmark = pytest.mark.slow

SORTS = {
    "ENOSPC": "the disk is full (ENOSPC) from that operation on, for all processes",
    "EIO": "the operation fails (EIO), once",
    "short": "a write takes half of what it is given (a short write)",
}


@pytest.fixture(scope="module")
def undisturbed(lanes):
    return Undisturbed(lanes)


def distinct(points: list[str], does: str) -> list[str]:
    """A point of each sort: the operation, and the file but for the run it is of.

    Of many the first, the last, and one in the middle of a run.
    """
    kinds = {"short": r" write ", "EIO": r" (write|fsync|open|rename|mkdir) ", "ENOSPC": r" (write|open|mkdir) "}[does]
    sorts: dict[str, list[str]] = {}
    for point in points:
        if re.search(kinds, point):
            sorts.setdefault(re.sub(r"/[0-9a-f]{16}/| \d+$", "/RUN/", point), []).append(point)
    return [point for some in sorts.values() for point in dict.fromkeys((some[0], some[len(some) * 3 // 8], some[-1]))]


@pytest.mark.parametrize("does", SORTS)
def test_a_disk_that_fails_anywhere_costs_nothing(does, undisturbed, lanes):
    points = distinct(undisturbed.points, does)
    wrong = undisturbed.failures(lanes, does, points)
    record_fault(
        "kills",
        f"at each sort of operation on a file: {SORTS[does]}",
        len(points),
        "the cause and the folder named, no traceback, no wrong file; the next command ends with the same bits",
        f"{len(points) - len(wrong)} of {len(points)} so",
    )
    assert not wrong, "\n\n".join(wrong)
