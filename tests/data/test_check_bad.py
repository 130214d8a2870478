"""What a check says of files that cannot be used, and what it remembers of those that can."""

from pathlib import Path

from checked import looked_at
from photos import folder, pictures, save

from ablation.data import Fixed, ImageFolder, SkipBad
from ablation.data.check import check
from ablation.report.data_check.findings import stops


def broken(root: Path) -> Path:
    """Two classes of five and four, and three files that are no images."""
    folder(root, {"cat": 5, "dog": 4})
    (root / "cat" / "half.png").write_bytes((root / "cat" / "0.png").read_bytes()[:3000])
    (root / "cat" / "page.jpg").write_bytes(b"<!DOCTYPE html><title>404</title>")
    (root / "dog" / "empty.jpg").write_bytes(b"")
    return root


def test_bad_files_are_told_and_the_others_looked_at(tmp_path):
    root = broken(tmp_path / "d")
    found = looked_at(root)
    assert found.named == 12
    assert {Path(problem.where).name for problem in found.bad} == {"half.png", "page.jpg", "empty.jpg"}
    assert len(found.listing.labels) == 9
    assert stops(found)
    skipped = check(SkipBad(ImageFolder(str(root))), tmp_path / "cache", split=Fixed())
    assert skipped.bad == found.bad
    assert not stops(skipped)


def test_a_class_without_a_usable_file_stops_a_run_and_makes_no_listing(tmp_path):
    root = folder(tmp_path / "d", {"cat": 4})
    for name in ("dog", "eel"):
        (root / name).mkdir()
        (root / name / "0.jpg").write_bytes(b"\0" * 80)
    found = looked_at(root)
    assert found.listing is None
    assert ["'dog'" in str(p) or "(dog)" in str(p) for p in found.stopped] == [True, False]
    assert stops(found)
    assert stops(check(SkipBad(ImageFolder(str(root))), tmp_path / "cache"))
    for path in (root / "cat").iterdir():
        path.write_bytes(b"")
    nothing = looked_at(root)
    assert (nothing.listing, len(nothing.bad)) == (None, 6)
    assert [str(problem) for problem in nothing.stopped] == ["no file can be used"]


def test_a_moving_picture_is_bad_unless_its_first_frame_is_asked_for(tmp_path):
    root = folder(tmp_path / "d", {"cat": 4, "dog": 4})
    save(pictures()[20], root / "cat" / "moving.gif", save_all=True, append_images=[pictures()[21]])
    assert [Path(problem.where).name for problem in looked_at(root).bad] == ["moving.gif"]
    found = looked_at(root, first_frame=True)
    assert found.bad == ()
    assert found.listing.traits["frames"].max() == 2


def test_a_second_look_reads_what_has_changed_and_full_reads_all(tmp_path):
    root, reads = folder(tmp_path / "d", {"cat": 3, "dog": 3}), []
    for full in (False, False, True):
        reads.append([])
        check(ImageFolder(str(root)), tmp_path / "cache", lambda done, _: reads[-1].append(done), full)
    assert [len(read) for read in reads] == [6, 0, 6]
