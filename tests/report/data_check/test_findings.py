"""The words of a check: each finding is said exactly when it is so, at its level, and no other changes with it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checked import PLAIN, looked_at, saying, texts
from photos import folder, pictures, save, whole
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from ablation.core.errors import DataError
from ablation.data import CsvFile, Digits, Fixed, Given, ImageFolder, Redrawn
from ablation.data.check import Check, check
from ablation.report.data_check.findings import as_json, findings, moments_line, share, stops, verdict

EXIF = Image.Exif()
EXIF[0x0112] = 8


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Check:
    return looked_at(folder(tmp_path_factory.mktemp("plain") / "d", PLAIN))


def test_a_plain_data_set_is_ready_to_be_used(plain):
    assert texts(plain) == []
    assert verdict(plain) == "ready to be used"
    assert {finding.level for finding in findings(plain)} == {"note"}
    assert not stops(plain)


# --- one defect each: what is done to a folder of 2 x 8 photographs, and what is said of it


def bad(root: Path) -> None:
    (root / "cat" / "page.jpg").write_bytes(b"<html>")
    (root / "dog" / "half.png").write_bytes((root / "dog" / "0.png").read_bytes()[:2000])


def same(
    *positions: str, changed: Callable[[Image.Image], Image.Image] = lambda image: image
) -> Callable[[Path], None]:
    """The picture 30 at two places, changed at the second."""

    def put(root: Path) -> None:
        for position, image in zip(positions, (pictures()[30], changed(pictures()[30])), strict=True):
            save(image, root / position)

    return put


def moving(root: Path) -> None:
    save(pictures()[30], root / "cat" / "moving.gif", save_all=True, append_images=[pictures()[31]])


def glass(image: Image.Image) -> Image.Image:
    clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    return clear


def missing() -> Image.Image:
    """What a server sends in place of a picture that it has not."""
    page = Image.new("RGB", (300, 225), "lightblue")
    ImageDraw.Draw(page).text((40, 90), "image not found", fill="black", font_size=28)
    return page


P = pictures
DEFECTS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "bad files": (bad, ["error: 2 files of 18 cannot be used"]),
    "exact copies within a class": (
        same("cat/x.png", "cat/y.png"),
        ["note: 1 group of the same picture within a class: exact copies, 2 photographs"],
    ),
    "near-duplicates within a class": (
        same("cat/x.png", "cat/y.jpg", changed=ImageOps.mirror),
        ["note: 1 group of the same picture within a class: near-duplicates, 2 photographs"],
    ),
    "copies across classes": (
        same("cat/x.png", "dog/y.png"),
        ["warning: 1 group of the same picture in different classes: exact copies, 2 photographs"],
    ),
    "a misnamed file": (
        lambda root: save(P()[30], root / "cat" / "x.jpg", format="PNG"),
        ["note: 1 file with an ending that lies; read as what they hold"],
    ),
    "a photograph turned by EXIF": (
        lambda root: save(P()[30], root / "cat" / "x.jpg", exif=EXIF),
        ["note: 1 photograph lies turned or mirrored in the file, as its EXIF tag tells: set upright here"],
    ),
    "a transparent one": (
        lambda root: save(glass(P()[30]), root / "cat" / "x.png"),
        ["note: 1 photograph with transparency, laid over white"],
    ),
    "one of one colour": (
        lambda root: save(Image.new("RGB", (120, 100), (90, 140, 90)), root / "cat" / "x.png"),
        ["warning: 1 photograph of one colour, or nearly: there is nothing to see"],
    ),
    "a small one": (
        lambda root: save(P()[30].resize((75, 63)), root / "cat" / "x.png"),
        ["warning: 1 photograph very small, with a side under 64 pixels"],
    ),
    "a long one": (
        lambda root: save(whole()[1].crop((200, 150, 500, 250)), root / "cat" / "x.png"),
        ["warning: 1 photograph long or tall, 3 to 1 or more"],
    ),
    "a grey one": (
        lambda root: save(P()[30].convert("L"), root / "cat" / "x.png"),
        ["note: 1 photograph without colour, 5.9 % of all"],
    ),
    "a placeholder": (
        lambda root: save(missing(), root / "cat" / "x.jpg"),
        ["warning: 1 photograph nearly empty, among others that are not"],
    ),
    "a bitmap with an honest ending": (lambda root: save(P()[30], root / "cat" / "x.bmp"), []),
    "an upright photograph that says so": (lambda root: save(P()[30], root / "cat" / "x.jpg", exif=Image.Exif()), []),
    "a side of 64": (lambda root: save(P()[30].resize((77, 64)), root / "cat" / "x.png"), []),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_said_and_nothing_else(tmp_path, defect):
    spoil, expected = DEFECTS[defect]
    spoil(folder(tmp_path / "d", PLAIN))
    result = looked_at(tmp_path / "d")
    assert texts(result) == expected
    errors, warnings = (sum(text.startswith(level) for text in expected) for level in ("error", "warning"))
    assert stops(result) == bool(errors)
    if errors:
        assert verdict(result) == "not to be used as it is (1 error)"
    else:
        assert verdict(result) == ("ready to be used, with 1 thing to look at" if warnings else "ready to be used")


def test_pictures_on_a_plain_ground_are_not_odd_where_all_are(tmp_path):
    root = folder(tmp_path / "d", {"cat": 2, "dog": 2})
    for number in range(12):
        page = Image.new("RGB", (300, 225), "white")
        page.paste(pictures()[20 + number].resize((84, 70)), (100, 70))
        save(page, root / ("cat", "dog")[number % 2] / f"x{number}.png")
    assert not re.search("nearly empty", " ".join(texts(looked_at(root))))


def test_one_picture_in_many_classes_is_called_what_it_may_be(tmp_path):
    root = folder(tmp_path / "d", {"cat": 8, "dog": 8, "cow": 8})
    for name in ("cat", "dog", "cow"):
        save(missing(), root / name / "x.jpg")
    result = looked_at(root)
    assert texts(result) == [
        "warning: 1 group of the same picture in different classes: exact copies, 3 photographs",
        "warning: 3 photographs nearly empty, among others that are not",
    ]
    assert saying(result, "in different classes").advice == (
        "one of the labels is wrong, or the picture shows both: look at them; one is in 3 classes, as a placeholder is "
        '("image not found"): remove it'
    )
    for name in ("cat", "dog", "cow"):
        (root / name / "x.jpg").unlink()
    assert texts(looked_at(root)) == []


def test_bad_files_that_are_skipped_are_a_warning(tmp_path):
    bad(folder(tmp_path / "d", PLAIN))
    result = looked_at(tmp_path / "d", skip=True)
    assert texts(result) == ["warning: 2 files of 18 left out, as requested"]
    assert not stops(result)


def test_the_first_frame_of_several_is_said_to_be_taken(tmp_path):
    moving(folder(tmp_path / "d", PLAIN))
    assert texts(looked_at(tmp_path / "d")) == ["error: 1 file of 17 cannot be used"]
    result = looked_at(tmp_path / "d", first_frame=True)
    assert texts(result) == ["note: 1 file with several frames: the first is taken, as requested"]


PARTS = {"train/cat": 5, "train/dog": 5, "test/cat": 4, "test/dog": 4}


def test_classes_that_differ_by_a_turn_are_no_copies_of_one_another_and_it_is_said(tmp_path):
    """Each of eight pictures in four directions; the same turned picture in one class is a copy as ever."""
    for way, name in enumerate(("right", "up", "left", "down")):
        for number, picture in enumerate(pictures()[:8]):
            save(picture.rotate(90 * way, expand=True), tmp_path / "d" / name / f"{number}.png")
    result = looked_at(tmp_path / "d")
    assert result.copies == ()
    (said,) = [finding for finding in findings(result) if finding.about == "copies"]
    assert (said.level, said.text) == ("note", "32 photographs look like turned copies of one in another class")
    assert said.advice.startswith("do your classes differ by orientation (letters, arrows)? ")
    assert as_json(result)["turned"] == list(result.listing.names)

    save(pictures()[9], tmp_path / "d" / "right" / "more.png")
    save(pictures()[9].rotate(180), tmp_path / "d" / "right" / "again.png")
    result = looked_at(tmp_path / "d")
    assert [(copies.across, len(copies.rows)) for copies in result.copies] == [("nothing", 2)]
    assert len(result.listing.turned) == 32


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        (("train/cat/x.png", "test/cat/x.png"), "in different parts (train, val, test): exact copies, 2 photographs"),
        (
            ("train/cat/x.png", "test/dog/x.png"),
            "in different parts (train, val, test): exact copies, 2 photographs; with different classes too",
        ),
        (("test/cat/x.png", "test/dog/x.png"), "in different classes: exact copies, 2 photographs"),
        (("train/dog/x.png", "train/dog/y.png"), "within a class: exact copies, 2 photographs"),
    ],
)
def test_copies_are_told_by_the_harm_they_do(tmp_path, positions, said):
    same(*positions)(folder(tmp_path / "d", PARTS))
    result = looked_at(tmp_path / "d")
    level = "error" if "parts" in said else "warning" if "classes" in said else "note"
    assert texts(result) == [f"{level}: 1 group of the same picture {said}"]
    assert stops(result) == (level == "error")
    assert ("Given(duplicates='drop')" in saying(result, "same picture").advice) == (level == "error")


def test_groups_of_several_kinds_are_counted(tmp_path):
    root = folder(tmp_path / "d", PARTS)
    for number, (one, other, light) in enumerate(
        [("train/cat", "test/cat", 1), ("train/cat", "test/dog", 0.9), ("test/dog", "train/dog", 0.9)]
    ):
        picture = pictures()[36 + number]
        save(picture, root / one / f"x{number}.png")
        save(ImageEnhance.Brightness(picture).enhance(light), root / other / f"y{number}.png")
    assert texts(looked_at(root)) == [
        "error: 3 groups of the same picture in different parts (train, val, test): 1 of exact copies and 2 of "
        "near-duplicates, 6 photographs; 1 of them with different classes too"
    ]


def test_what_belongs_together_in_different_parts_is_an_error(tmp_path):
    lines = ["path,label,split,group"]
    for number in range(16):
        save(pictures()[number], tmp_path / f"{number}.png")
        part, animal = ("train", "test")[number // 4 % 2], 0 if number in (0, 5, 6) else number
        lines.append(f"{number}.png,{'ab'[number % 2]},{part},{animal}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    result = check(CsvFile(str(tmp_path / "table.csv")), tmp_path / "cache")
    assert [text for text in texts(result) if "refused" not in text] == [
        "error: 1 group of photographs that belong together, as the data says, in different parts: 3 photographs"
    ]
    assert as_json(result)["torn"] == [sorted(["0.png", "5.png", "6.png"], key=result.listing.names.index)]


# --- classes


@pytest.mark.parametrize(
    ("counts", "level", "said"),
    [
        ({"cat": 8, "dog": 8}, "note", "perfectly balanced, 8 images of each"),
        ({"cat": 12, "dog": 8}, "note", "nearly balanced, 1.50 to 1 (12 images of 'cat', 8 of 'dog')"),
        (
            {"cat": 13, "dog": 8},
            "warning",
            "unbalanced, 1.6 to 1 (13 images of 'cat', 8 of 'dog'); always guessing 'cat' is right for 62 %",
        ),
    ],
)
def test_balance_is_told_with_what_it_means(tmp_path, counts, level, said):
    result = looked_at(folder(tmp_path / "d", counts))
    sentence = saying(result, "balanced")
    assert sentence.level == level
    assert said in sentence.text
    assert ("balanced_accuracy" in sentence.advice) == (level == "warning")


def test_a_split_that_would_be_refused_is_an_error_as_the_run_would_tell_it(tmp_path):
    few = check(ImageFolder(str(folder(tmp_path / "few", {"cat": 4, "dog": 3}))), tmp_path / "cache")
    sentence = saying(few, "is refused")
    assert sentence.level == "error"
    assert sentence.text.startswith("Redrawn() is refused: the split leaves the val part without an image of ")
    assert "class 1 (dog) has 3" in sentence.text
    with pytest.raises(DataError, match=re.escape(sentence.text.removeprefix("Redrawn() is refused: "))):
        Redrawn().draw(few.listing, 0)
    enough = check(ImageFolder(str(folder(tmp_path / "enough", {"cat": 13, "dog": 13}))), tmp_path / "cache")
    assert enough.split == Redrawn(), "what runs take, if nothing else is declared"
    assert texts(enough) == []
    ownparts = {"train/cat": 1, "train/dog": 1, "test/cat": 1, "test/dog": 1}
    parts = looked_at(folder(tmp_path / "parts", ownparts))
    assert "Given() is refused: " in saying(parts, "is refused").text
    whole = looked_at(folder(tmp_path / "whole", ownparts | {"val/cat": 1, "val/dog": 1}))
    assert texts(whole) == []


def test_the_split_of_an_experiment_decides_what_is_refused(tmp_path):
    root = folder(tmp_path / "d", {f"{part}/{name}": 6 for part in ("train", "val", "test") for name in ("cat", "dog")})
    shutil.copy(root / "train" / "cat" / "0.png", root / "test" / "cat" / "leak.png")
    source = ImageFolder(str(root))
    splits = {
        None: ("error", "what is tested was trained on: remove them from one part, or leave them out of training: "
               "Given(duplicates='drop')"),
        Given(duplicates="keep"): ("warning", "what is tested was trained on: remove them from one part, or leave them "
                                   "out of training: Given(duplicates='drop')"),
        Given(duplicates="drop"): ("note", "Given(duplicates='drop') leaves them out of training"),
        Fixed(): ("note", "Fixed() deals the parts anew, and keeps each group on one side; Given(duplicates='drop') "
                  "keeps the parts, and leaves them out of training"),
        Fixed(together="exact"): ("note", "Fixed(together='exact') deals the parts anew, and keeps each group on one "
                                  "side; Given(duplicates='drop') keeps the parts, and leaves them out of training"),
        Fixed(together="nothing"): ("warning", "what is tested may be trained on: together='near' keeps each group on "
                                    "one side of the split"),
    }  # fmt: skip
    for split, (level, advice) in splits.items():
        result = check(source, tmp_path / "cache", split=split)
        finding = saying(result, "in different parts")
        assert (finding.level, finding.advice) == (level, advice)
        assert stops(result) == (level == "error")


# --- the rest of the words


@pytest.mark.parametrize(
    ("part", "said"), [(0, "0 %"), (0.0001, "less than 0.1 %"), (0.0123, "1.2 %"), (0.294, "29 %"), (1, "100 %")]
)
def test_shares_are_told_in_percent(part, said):
    assert share(part) == said


def test_the_line_to_copy_is_python(plain):
    called = {}
    exec(moments_line(plain), {"Normalize": lambda **given: called.update(given)})
    assert called["mean"] == pytest.approx(plain.moments.mean, abs=5e-5)
    assert called["std"] == pytest.approx(plain.moments.std, abs=5e-5)


def test_findings_stand_in_the_order_of_their_weight(tmp_path):
    root = folder(tmp_path / "d", {"cat": 12, "dog": 6})
    bad(root)
    save(pictures()[30].convert("L"), root / "cat" / "x.png")
    levels = [finding.level for finding in findings(looked_at(root))]
    assert levels == sorted(levels, key=("error", "warning", "note").index)
    assert {"error", "warning", "note"} == set(levels)


def test_without_anything_usable_the_errors_are_told(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "d" / name).mkdir(parents=True)
        (tmp_path / "d" / name / "0.jpg").write_bytes(b"\0")
    result = looked_at(tmp_path / "d")
    assert [finding.text for finding in findings(result)] == ["2 files of 2 cannot be used", "no file can be used"]
    assert stops(result)
    sentence = json.loads(json.dumps(as_json(result)))
    assert [Path(one["file"]).name for one in sentence["bad"]] == ["0.jpg", "0.jpg"]
    assert "classes" not in sentence


def test_json_holds_every_row_by_name(tmp_path, cache):
    root = folder(tmp_path / "d", PARTS)
    same("train/cat/x.png", "test/dog/x.png")(root)
    save(glass(pictures()[31]), root / "train" / "cat" / "glass.png")
    result = looked_at(root)
    sentence = json.loads(json.dumps(as_json(result)))
    assert sentence["classes"] == {"cat": 11, "dog": 10}
    assert sentence["parts"] == {"train": {"cat": 7, "dog": 5}, "test": {"cat": 4, "dog": 5}}
    (group,) = sentence["copies"]
    assert dict(zip(group["files"], zip(group["classes"], group["parts"], strict=True), strict=True)) == {
        "train/cat/x.png": ("cat", "train"), "test/dog/x.png": ("dog", "test"),
    }  # fmt: skip
    assert sentence["transparent"] == ["train/cat/glass.png"]
    assert [finding["text"] for finding in sentence["findings"]] == [finding.text for finding in findings(result)]
    assert sentence["stops_a_run"] is True
    assert json.dumps(as_json(check(Digits(), cache)))
