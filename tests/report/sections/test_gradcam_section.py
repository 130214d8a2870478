"""Grad-CAM of the same photographs under each network: which are shown, what stands under them, and what is missing."""

import io
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest
from made_up import MadeUp, question, results_of
from names import unmarked, wrongly_marked
from PIL import Image

from ablation.augment import Brightness
from ablation.core.errors import DataError
from ablation.core.seeds import stream
from ablation.core.text import bare, named
from ablation.evidence.study import Study
from ablation.experiment.record import Attention, Predictions, RunRecord
from ablation.report.photographs import FRAME, GAP
from ablation.report.section import Section
from ablation.report.sections.gradcam.compute import MOST_PHOTOGRAPHS, chosen
from ablation.report.sections.gradcam.figure import enlarged, heated
from ablation.report.sections.gradcam.section import gradcam

SAMPLE = np.array([40, 7, 23, 11, 30, 2, 19, 5])
"""Rows with a map, in the order in which a run keeps them."""
LABEL = {row: number % 4 for number, row in enumerate(SAMPLE.tolist())}
WRONG = {"none": {7, 23}, "bright": {40}, "contrast": {7, 40, 5}}
CELLS = (3, 4)


class Looking(MadeUp):
    """Networks that are wrong about a few photographs, and look at the cell that has the number of their recipe."""

    gone = False
    kept: Any = None

    def recipe(self, run_id: str) -> str:
        return next(cell.factors["recipe"] for cell in self.cells if cell.spec.id == run_id)

    def test_predictions(self, run_id: str) -> Predictions:
        rows = np.arange(60)[::-1]
        label = np.array([LABEL.get(row, 0) for row in rows.tolist()])
        wrong = np.isin(rows, list(WRONG.get(self.recipe(run_id), set())))
        return Predictions(rows, label, np.eye(10, dtype=np.float32)[label + wrong])

    def attention(self, run_id: str) -> Attention | None:
        maps = np.zeros((len(SAMPLE), *CELLS), np.uint8)
        maps[:, 1, len(self.recipe(run_id)) % CELLS[1]] = 255
        maps[SAMPLE == 5] = 0
        return Attention(SAMPLE, maps) if self.kept is None or self.recipe(run_id) in self.kept else None

    def photographs(self, rows: np.ndarray, side: int) -> np.ndarray:
        if self.gone:
            raise DataError("the image cache in cache is not there")
        return np.stack([np.full((side, side, 3), row, np.uint8) for row in rows])


def looking(results: Any, **attributes: Any) -> Looking:
    made = Looking(**{name: getattr(results, name) for name in results.__dataclass_fields__})
    for name, of in attributes.items():
        object.__setattr__(made, name, of)
    return made


def study_of(
    evidence: dict[str, Any] | None = None, notes: tuple[str, ...] = (), score: Any = None, **changes: Any
) -> Study:
    attributes = {name: changes.pop(name) for name in ("gone", "kept") if name in changes}
    experiment = replace(question(), **changes)
    results = results_of(experiment, score) if score else results_of(experiment)
    held = {"conditions": ()} if evidence is None else evidence
    records = {cell.spec.id: RunRecord(cell.spec.id, "finished", (), {}, held, notes=notes) for cell in results.cells}
    return Study(looking(replace(results, records=records), **attributes))


def section_of(**options: Any) -> Section:
    section = gradcam(study_of(**options))
    assert section is not None
    return unmarked(section)


def test_some_flip_and_some_all_get_right():
    section = section_of()
    (strips,) = section.figures
    assert [row.name for row in strips.rows] == [f"class {'abcdefghij'[number]}" for number in (1, 0, 2, 3, 3, 0)]
    assert bare(strips.rows[0].about) == "flips: bright is right, none and contrast are wrong"
    assert bare(strips.rows[1].about) == "flips: none is right, bright and contrast are wrong"
    assert bare(strips.rows[2].about) == "flips: bright and contrast are right, none is wrong"
    assert bare(strips.rows[3].about) == "flips: none and bright are right, contrast is wrong"
    assert [row.about for row in strips.rows[4:]] == ["all are right"] * 2
    assert strips.caption.startswith("Shown are 6 photographs: 4 that flip and 2 that all networks get right. ")
    assert section.answer == (
        "4 of 8 test photographs flip between none and another recipe; where networks look is not tested.",
        "none gets 6 of 8 right. One flips where it is right and bright or contrast is wrong, or the other way round.",
        "One run a recipe (adam, seed 0): the maps show where the evidence for each prediction lies, and claim nothing "
        "of the recipes.",
    )
    assert strips.alt == "Grad-CAM maps over 6 test photographs under the networks of “none”, “bright” and “contrast”"


def test_names_are_marked_in_sentences_and_not_under_pictures():
    section = gradcam(study_of())
    assert wrongly_marked(section, ("bright", "contrast")) == []
    assert section.figures[0].rows[0].about == (
        f"flips: {named('bright')} is right, {named('none')} and {named('contrast')} are wrong"
    )


def test_under_each_network_stand_its_guess_and_whether_it_is_right():
    (strips,) = section_of().figures
    first, _, _, last_flip, *_ = strips.rows
    assert first.headings == ("test photograph", "none", "bright", "contrast")
    assert first.words == (
        ("class b",),
        ("none", "c, wrong"),
        ("bright", "b, right"),
        ("contrast", "c, wrong"),
    )
    assert last_flip.words[1] == ("none", "d, right", "nothing speaks for it")
    assert first.alt == (
        "A test photograph of class “b”, and where networks look: “none” predicts c, wrong; “bright” predicts b, "
        "right; “contrast” predicts c, wrong"
    )


def test_the_heat_lies_where_the_map_says():
    (strips,) = section_of().figures
    content, kind = strips.rows[0].encode()
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), int)
    assert kind == "jpeg"
    side = picture.shape[0]
    pitch = side + round(GAP * side)
    assert picture.shape[1] == 3 * pitch + side
    tiles = [picture[FRAME:-FRAME, column * pitch + FRAME : column * pitch + side - FRAME] for column in range(4)]
    assert np.abs(tiles[0] - 7).max() < 20
    for tile, recipe in zip(tiles[1:], ("none", "bright", "contrast"), strict=True):
        y, x = np.unravel_index(tile.sum(axis=2).argmax(), tile.shape[:2])
        size = tile.shape[0]
        assert (y * CELLS[0] // size, x * CELLS[1] // size) == (1, len(recipe) % CELLS[1])


def test_the_choice_is_that_of_a_plain_program():
    for draw in range(30):
        random = stream(draw, "choice")
        right, label = random.random((4, 40)) < 0.85, random.integers(0, 5, 40)
        picked = chosen(right, label)
        assert len(set(picked)) == len(picked) == MOST_PHOTOGRAPHS
        flips = [index for index in range(40) if any(right[k, index] != right[0, index] for k in range(4))]
        every = [index for index in range(40) if all(right[:, index])]
        assert sum(index in flips for index in picked) == min(4, len(flips))
        assert all(index in every for index in picked[4:])
        gained = [index for index in flips if not right[0, index]]
        if gained:
            assert picked[0] == gained[0]
        assert picked == chosen(right, label)


def test_classes_are_spread_before_they_repeat():
    right = np.ones((2, 8), bool)
    assert chosen(right, np.array([0, 0, 1, 1, 2, 2, 0, 3])) == [0, 2, 4, 7, 1, 3]


def test_where_none_flips_or_few_are_there_the_others_are_shown():
    assert chosen(np.zeros((3, 4), bool), np.arange(4)) == [0, 1, 2, 3]
    assert chosen(np.ones((1, 2), bool), np.arange(2)) == [0, 1]
    flips = np.array([[True] * 8, [False] * 8])
    assert len(chosen(flips, np.arange(8))) == MOST_PHOTOGRAPHS


def test_a_network_without_a_feature_map_is_one_sentence():
    section = section_of(kept=())
    assert section.answer == (
        "There is no Grad-CAM of this network: it has no last convolutional feature map of several cells.",
    )
    assert not section.figures


def test_a_run_that_says_why_it_has_no_map_is_quoted():
    section = section_of(kept=(), notes=("where the network looks: not known (ValueError: a loop)",))
    assert section.answer == (
        "There is no Grad-CAM of these runs (where the network looks: not known (ValueError: a loop)).",
    )


def test_old_records_are_one_sentence():
    section = section_of(kept=(), evidence={})
    known, what = section.answer
    assert known == "The records of these runs do not hold where the network looks: an older version made them."
    assert "`ablation run made-up`" in what


def test_without_the_image_cache_it_says_so():
    section = section_of(gone=True)
    said, why = section.answer
    assert said == "The photographs cannot be shown with their Grad-CAM maps: the image cache cannot be read."
    assert why == "The reason: the image cache in cache is not there."
    assert not section.figures


def test_a_recipe_without_maps_is_named():
    section = section_of(kept=("none", "contrast"))
    assert section.figures[0].rows[0].headings == ("test photograph", "none", "contrast")
    assert section.caution[-1].startswith("Without a map of these photographs: bright (")


def test_no_run_gives_no_section():
    assert gradcam(study_of(score=lambda cell: "failed")) is None


def test_a_failed_run_of_a_recipe_leaves_it_out():
    def score(cell):
        return "failed" if cell.factors["recipe"] == "bright" else 0.8

    (strips,) = section_of(score=score).figures
    assert strips.rows[0].headings == ("test photograph", "none", "contrast")
    assert "not finished there: bright" in strips.caption


def test_one_recipe_alone():
    section = section_of(recipes={"none": ()})
    assert section.answer[0] == "none gets 6 of 8 test photographs right; nothing is beside it."
    assert {row.about for row in section.figures[0].rows} == {"right", "wrong"}


def test_a_second_name_of_the_same_runs_is_not_shown_twice():
    (strips,) = section_of(recipes={"none": (), "nothing": (), "bright": (Brightness(0.4),)}).figures
    assert strips.rows[0].headings == ("test photograph", "none", "bright")
    assert "Not shown: nothing." in strips.caption


def test_at_most_five_recipes_stand_beside_the_baseline():
    recipes = {"none": ()} | {f"b{number}": (Brightness(number / 10),) for number in range(1, 8)}
    (strips,) = section_of(recipes=recipes).figures
    assert strips.rows[0].headings == ("test photograph", "none", "b1", "b2", "b3", "b4", "b5")
    assert "Not shown: b6 and b7." in strips.caption


def test_cautions():
    seed, coarse = section_of().caution
    assert seed.startswith("One seed a recipe")
    assert "(3 × 4 cells)" in coarse
    assert "Adebayo et al. 2018" in coarse


def test_enlarging_is_bilinear_between_the_middles_of_cells():
    heat = stream(0, "heat").integers(0, 256, (3, 5)).astype(np.uint8)
    wide = enlarged(heat, 60)
    for y, x in ((0, 0), (17, 31), (40, 12), (59, 59), (30, 44)):
        row, column = ((at + 0.5) * cells / 60 - 0.5 for at, cells in ((y, 3), (x, 5)))
        row, column = min(max(row, 0), 2), min(max(column, 0), 4)
        top, left = min(int(row), 1), min(int(column), 3)
        down, across = row - top, column - left
        corners = heat[top : top + 2, left : left + 2].astype(float)
        expected = (corners[0] * (1 - down) + corners[1] * down) @ [1 - across, across]
        assert wide[y, x] == pytest.approx(expected, abs=1)


def test_the_stronger_the_more_opaque():
    photograph = np.full((8, 8, 3), 100, np.uint8)
    assert (heated(photograph, np.zeros((2, 2), np.uint8)) == photograph).all()
    full = heated(photograph, np.full((2, 2), 255, np.uint8))
    top = np.array(matplotlib.colormaps["inferno"](1.0)[:3]) * 255
    assert full[0, 0] == pytest.approx(0.25 * 100 + 0.75 * top, abs=1)
