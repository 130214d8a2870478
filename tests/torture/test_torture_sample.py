"""Some of the kills, crashes and failing disks, in the fast tests: what `make torture` tries by the hundred."""

import pytest
from campaign import Project, torment
from crashes import FILES, Undisturbed
from faults import record_fault


@pytest.fixture(scope="module")
def undisturbed(lanes):
    return Undisturbed(lanes)


def test_ten_kills_leave_no_trace(lanes):
    start = lanes.zygotes[0].start
    calm, done, wrong = Project(start, lanes.folder / "calm"), 0, ""
    calm.run_to_its_end()
    for seed in range(3, 8):  # a sweep may come to its end before it was killed so often
        killed, wrong = torment(Project(start, lanes.folder / f"killed-{seed}"), calm, 10 - done, seed)
        done += killed.total()
        if wrong or done == 10:
            break
    record_fault(
        "kills",
        "SIGKILL of the command, a worker or both at random moments, then the same command",
        done,
        "the same records, tables and MLflow runs, bit for bit; no process left",
        wrong or "the same bits",
    )
    assert wrong == ""
    assert done == 10


@pytest.mark.parametrize("kind", FILES)
def test_a_crash_at_a_point_of_each_file_leaves_no_trace(kind, undisturbed, lanes):
    points = undisturbed.points_of(kind)
    assert undisturbed.crashes(lanes, "kill", [points[len(points) // 2]]) == []


def test_a_worker_that_dies_behind_its_record_has_not_failed(undisturbed, lanes):
    renames = [point for point in undisturbed.points if " rename " in point and "record.json" in point]
    after = undisturbed.points[undisturbed.points.index(renames[0]) + 1 :]
    kinds = (" write ", " unlink ", "checkpoint-before")
    points = [next(point for point in after if kind in point and "runs/" in point) for kind in kinds]
    wrong = undisturbed.crashes(lanes, "kill", points)
    record_fault(
        "blocked",
        "a worker is killed between its run's record and its last line",
        len(points),
        "the run has finished, and no checkpoint is left",
        "; ".join(wrong) or f"so {len(points)} times",
    )
    assert not wrong, "\n\n".join(wrong)


def test_a_disk_that_fails_behind_a_record_costs_nothing(undisturbed, lanes):
    """The last line of a journal, and the flush of the folder that the record was renamed in."""
    last = max(undisturbed.points.index(point) for point in undisturbed.points_of("record") if " rename " in point)
    points = [next(point for point in undisturbed.points[last:] if f" {kind} " in point) for kind in ("fsync", "write")]
    wrong = undisturbed.failures(lanes, "EIO", points)
    record_fault(
        "kills",
        "the disk fails (EIO) between a run's record and its last line",
        len(points),
        "the run has finished; the cause and the file named, no traceback, no checkpoint left",
        "; ".join(wrong) or f"so {len(points)} times",
    )
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("does", ["torn", "power"])
def test_a_torn_line_and_a_power_cut_leave_no_trace(does, undisturbed, lanes):
    writes = [point for point in undisturbed.points_of("journal") if " write " in point]
    assert undisturbed.crashes(lanes, does, [writes[len(writes) // 2]]) == []


@pytest.mark.parametrize("does", ["ENOSPC", "EIO", "short"])
def test_a_disk_that_fails_while_a_record_is_written_costs_nothing(does, undisturbed, lanes):
    writes = [point for point in undisturbed.points_of("record") if " write " in point]
    assert undisturbed.failures(lanes, does, [writes[-1]]) == []
