"""Whom a recipe helps and whom it harms: planted harm is found, luck is not, and what cannot be compared is said."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from made_classes import study_of
from made_up import alike
from PIL import Image
from sklearn.metrics import recall_score

from ablation.analysis.comparison import Paired, Welch
from ablation.analysis.crossed import crossed
from ablation.analysis.multiplicity import behind, gatekept
from ablation.augment import Brightness, Contrast
from ablation.core.text import MINUS, name_spans, plain
from ablation.evidence.measures import MeasureEffect, corrected
from ablation.optim import SGD, Adam
from ablation.report.section import Section, Strips
from ablation.report.sections.class_harm.compute import class_harm_of
from ablation.report.sections.class_harm.figure import cell_text, draw_harm
from ablation.report.sections.class_harm.section import MOST_CLASSES, MOST_RECIPES, class_harm
from ablation.report.style import styles

HARM = {("bright", 1): -0.35, ("bright", 0): 0.15, ("bright", 2): 0.15, ("bright", 3): 0.15}


def section_of(*args, **options) -> Section:
    section = class_harm(study_of(*args, **options))
    assert section is not None
    return section


def plainly(texts) -> list[str]:
    return list(map(plain, texts))


def test_a_recipe_that_really_harms_one_class_is_named_at_the_top():
    section = section_of(HARM)
    (top,) = plainly(section.headline)
    assert top.startswith("“bright” harms class “dog”: recall falls by 3")
    assert "Holm p < .001" in top
    assert top.endswith(" This holds for this split, on this data, model and budget.")
    opening, first, second, held = plainly(section.answer)
    assert re.fullmatch(r"“bright” harms class “dog”: recall falls by 3\d\.\d points\.", opening)
    assert first.startswith("“bright” harms class “dog”: recall falls by 3")
    assert " Its images are more often taken for “fox” (+3" in first
    assert " “bright” helps " in first
    assert second.startswith("“contrast” is not shown to harm any of 4 classes: the largest loss is ")
    assert held == (
        "Holm's correction is over 8 comparisons (2 recipes, 4 classes). "
        "This holds for this split, on this data, model and budget."
    )
    rows = section.tables[0].groups[0].rows
    assert [row["harmed"] for row in rows] == ["1 of 4", "0 of 4"]
    assert rows[0]["class"] == "dog"
    assert rows[0]["change"].startswith(f"▼ {MINUS}3")


def test_a_harm_beside_a_gain_on_average_says_both():
    def better(cell):
        return alike(cell) + 0.05 * (cell.factors["recipe"] == "bright")

    (top,) = section_of(HARM, score=better, test=Welch()).headline
    assert re.search(r" On average it is better \(\+\d\.\d points of accuracy\)\. This holds for this split", top)


def test_where_nothing_is_true_nothing_is_claimed():
    section = section_of({})
    assert section.headline == ()
    assert re.fullmatch(
        r"No recipe is shown to harm or help any of 4 classes: a change of recall had to be about \d+\.\d points to be "
        r"shown\.",
        section.answer[0],
    )
    assert "; none of 8 changes is shown. " in section.figures[0].caption
    assert not any("harms" in text or "helps" in text for text in section.answer)
    assert section.caution[0].startswith("What is not shown is not absent: with 40 test images of each class and ")


def test_numbers_are_those_of_a_plain_program():
    study = study_of(HARM)
    harm = class_harm_of(study)
    table = study.results.finished
    tables = {}
    for recipe in ("none", "bright"):
        rows = table[table["recipe"] == recipe]
        by_seed = []
        for seed in range(8):
            runs = [study.results.test_predictions(run) for run in rows[rows["seed"] == seed]["id"]]
            own = runs[0][1] == 1
            by_seed.append(np.mean([(logits.argmax(1) == label)[own] for _, label, logits in runs], axis=0))
        tables[recipe] = np.array(by_seed)
    expected = crossed(tables["bright"], tables["none"], True, share=True)
    effect = harm.recipes[0].effects[1]
    assert effect.estimate == pytest.approx(expected.estimate)
    assert effect.p == pytest.approx(expected.p_value())
    assert (effect.low, effect.high) == pytest.approx(expected.interval(0.05 / 8))
    every = sorted(one.p for own in harm.recipes for one in own.effects.values())
    holm = max(min(1, (8 - rank) * p) for rank, p in enumerate(every[: every.index(effect.p) + 1]))
    assert effect.p_adjusted == pytest.approx(holm)
    each = [
        recall_score(label, logits.argmax(1), labels=[1], average="macro")
        for _, label, logits in map(study.results.test_predictions, table[table["recipe"] == "bright"]["id"])
    ]
    assert effect.mean == pytest.approx(np.mean(each))


def test_correction_without_an_order_is_that_of_gatekeeping():
    ps = [0.2, 0.001, float("nan"), 0.03, 0.012]
    every = corrected([MeasureEffect("r", "m", 3, 3, p=p) for p in ps], 0.05)
    np.testing.assert_allclose([one.p_adjusted for one in every], gatekept(ps, *behind([()] * 5)).adjusted)


def test_photographs_that_flip_are_those_of_the_planted_class():
    section = section_of({("bright", 1): -0.6, ("bright", 3): 0.28}, made={"base": 0.7})
    strips = next(one for one in section.figures if isinstance(one, Strips))
    bright = [row for row in strips.rows if row.name == "bright"]
    assert len(bright) == 2
    for row, word in zip(bright, ("from wrong to right", "from right to wrong"), strict=True):
        assert word in row.about
        assert "of 16 runs" in row.about
    lost = [words for words in bright[1].words if words]
    assert {words[0] for words in lost} == {"class “dog”"}
    for words in lost:
        assert words[1].startswith("none: ")
        assert "“dog”" in words[1]
        assert "“fox”" in words[2]
        assert words[3].startswith("flips in ")
    assert len(bright[0].words) == len(bright[1].words) == len(bright[0].headings)
    content, _ = bright[0].encode()
    assert np.asarray(Image.open(io.BytesIO(content))).shape[2] == 3
    plain = flips_by_hand(study_of({("bright", 1): -0.6, ("bright", 3): 0.28}))
    found = class_harm_of(study_of({("bright", 1): -0.6, ("bright", 3): 0.28})).recipes[0].flips
    np.testing.assert_array_equal(found.won - found.lost, plain)


def flips_by_hand(study) -> np.ndarray:
    """Net, image by image, for bright against none."""
    table = study.results.finished
    net = np.zeros(160, int)
    for seed in range(8):
        for optimizer in ("adam", "sgd"):
            right = {}
            for recipe in ("none", "bright"):
                chosen = (table["seed"] == seed) & (table["optimizer"] == optimizer) & (table["recipe"] == recipe)
                _, label, logits = study.results.test_predictions(table[chosen]["id"].item())
                right[recipe] = logits.argmax(1) == label
            net += right["bright"].astype(int) - right["none"]
    return net


def test_one_condition_counts_seeds():
    section = section_of({("bright", 1): -0.6}, optimizers={"adam": Adam()})
    strips = next(one for one in section.figures if isinstance(one, Strips))
    assert "of 8 seeds" in strips.rows[0].about


def test_without_the_image_cache_there_are_no_photographs_and_it_says_so():
    section = section_of({("bright", 1): -0.6}, made={"gone": True})
    assert not any(isinstance(one, Strips) for one in section.figures)
    assert any("the image cache is not there any more" in text for text in section.caution)
    assert section.headline


def test_a_class_with_fewer_than_two_test_images_and_an_absent_one_are_not_compared():
    section = section_of(HARM, classes=("cat", "dog", "fox", "owl", "yak"), made={"per_class": (40, 40, 1, 40, 0)})
    assert "Not compared, with fewer than 2 test images in some run: “fox” and “yak”." in plainly(section.caution)
    assert section.figures[0].data.classes == ("cat", "dog", "owl")
    none = section_of({}, made={"per_class": (1, 1, 1, 0)})
    assert none.answer[0].startswith("No class has 2 test images or more")
    assert not none.tables


def test_near_duplicates_of_a_class_are_one_photograph():
    groups = np.arange(2000)
    groups[80:160] = 80
    section = section_of({}, made={"groups": groups})
    assert any("“dog”" in text and "Not compared" in text for text in plainly(section.caution))


def test_two_classes_are_named_by_their_own_words():
    section = section_of({("bright", 1): -0.4}, classes=("ill", "well"), made={"per_class": (40, 40)})
    assert "classified correctly, here sensitivity and specificity." in section.question
    assert plain(section.headline[0]).startswith("“bright” harms class “well”")


def test_a_thousand_classes_show_those_that_change_most_and_fold_the_rest():
    names = tuple(f"class {number}" for number in range(300))
    recipes = {"none": ()} | {f"r{number}": (Brightness(0.01 * (number + 1)),) for number in range(14)}
    section = section_of(
        {("r3", 7): -0.6}, classes=names, made={"per_class": (4,) * 300}, recipes=recipes, seeds=3,
        optimizers={"adam": Adam()},
    )  # fmt: skip
    info = section.figures[0].data
    assert len(info.classes) == MOST_CLASSES
    assert len(info.recipes) == MOST_RECIPES
    assert "Drawn are 30 of 300 classes" in section.figures[0].caption
    assert section.tables[1].folded
    (group,) = section.tables[1].groups
    assert len(group.rows) == 14 * 300, "a page shows the first, the CSV all"
    assert len({(row["recipe"], row["class"]) for row in group.rows}) == 14 * 300
    assert len(section.answer) <= 8


def test_odd_names_are_drawn_and_kept_short():
    names = ('<b>&"x" costs $5_a$', "猫" * 60, "", " ")
    section = section_of(HARM, classes=names)
    axes = section.figures[0].draw(section.figures[0].data, styles(("none", "bright", "contrast"), "none"))
    axes.get_figure(root=True).canvas.draw()
    assert "…" in section.headline[0]


def test_the_heat_map_holds_the_changes_and_marks_what_is_shown():
    section = section_of(HARM)
    info = section.figures[0].data
    harm = class_harm_of(study_of(HARM))
    assert info.change[1, 0] == pytest.approx(100 * harm.recipes[0].effects[1].estimate)
    assert info.recall[1] == pytest.approx(100 * harm.recipes[0].effects[1].baseline_mean)
    assert info.shown[1, 0]
    assert not info.shown[:, 1].any()
    axes = draw_harm(info, styles(("none", "bright", "contrast"), "none"))
    texts = [text.get_text() for text in axes.texts]
    assert sum("▼" in text for text in texts) == 1
    assert cell_text(-6.24, shown=True) == f"▼ {MINUS}6.2"
    assert cell_text(-0.04, shown=False) == "0.0"


def test_too_few_seeds_failed_runs_and_the_baseline_under_another_name_claim_nothing():
    (few,) = section_of(HARM, seeds=2).answer
    assert plain(few) == "“bright” and “contrast” cannot be judged: no verdict under 3 seeds."

    def lost(cell):
        return "failed" if cell.factors["recipe"] == "bright" and cell.seed == 0 else alike(cell)

    failed = section_of(HARM, score=lost)
    assert failed.headline == ()
    assert any(text.startswith("“bright”: 2 runs failed or diverged here") for text in plainly(failed.answer))
    recipes = {"none": (), "again": (), "contrast": (Contrast(0.4),)}
    again = section_of({}, recipes=recipes)
    assert any(text.startswith("“again”: ") for text in plainly(again.answer))
    assert not any("“again” harms" in text or "“again” helps" in text for text in plainly(again.answer))


def test_one_recipe_and_no_finished_run_have_no_section():
    assert class_harm(study_of({}, recipes={"none": ()})) is None
    assert class_harm(study_of({}, score=lambda cell: "missing")) is None


def test_a_metric_where_lower_is_better_changes_no_recall():
    section = section_of(HARM, metric="log_loss", test=Paired())
    assert plain(section.headline[0]).startswith("“bright” harms class “dog”: recall falls by 3")
    assert "on these test photographs" in section.headline[0]


def test_recipes_of_which_much_is_shown_are_counted_where_they_are_many():
    recipes = {"none": ()} | {f"r{number}": (Brightness(0.02 * (number + 1)),) for number in range(9)}
    gains = {(f"r{number}", 1): -0.5 for number in range(8)}
    section = section_of(gains, recipes=recipes, optimizers={"sgd": SGD(lr=0.1)})
    assert sum(text.startswith("“r") for text in plainly(section.answer[1:])) == 6
    assert re.fullmatch(
        r"“r\d” harms class “dog”, the largest of 8 losses that are shown: recall falls by \d\d\.\d points\.",
        plain(section.answer[0]),
    )
    assert section.answer[-3:-1] == (
        "2 more recipes changed the recall of a class: see the table.",
        "Of 1 other recipe no change of a class is shown.",
    )
    assert " It is the largest of 8 losses of a class that are shown." in section.headline[0]


def test_a_gain_alone_is_said_beside_that_no_harm_is_shown():
    section = section_of({("bright", 1): 0.3}, made={"base": 0.5})
    assert re.fullmatch(
        r"No recipe is shown to harm any of 4 classes; “bright” helps class “dog”: recall rises by \d\d\.\d points\.",
        plain(section.answer[0]),
    )
    assert section.headline == ()


def test_every_class_under_each_recipe_has_a_row_the_largest_changes_first():
    section = section_of({("bright", 1): -0.35, ("bright", 2): -0.7}, made={"per_class": (40, 40, 2, 40)})
    (group,) = section.tables[1].groups
    first, second, *_ = [(row["recipe"], row["class"]) for row in group.rows]
    assert first == ("bright", "dog")
    assert second == ("bright", "fox"), "a larger change, of two images, that is not shown"
    assert len(group.rows) == 8
    changes = [float(row["change"].split()[-1].replace(MINUS, "-")) for row in group.rows]
    shown = ["▼" in row["change"] or "▲" in row["change"] for row in group.rows]
    assert shown == sorted(shown, reverse=True)
    for part in (True, False):
        sizes = [abs(change) for change, of in zip(changes, shown, strict=True) if of == part]
        assert sizes == sorted(sizes, reverse=True)
    recipes = {"none": ()} | {f"r{number}": (Brightness(0.01 * (number + 1)),) for number in range(32)}
    planted = {("r17", 1): -0.55, ("r30", 2): -0.45, ("r9", 3): 0.38}
    many = section_of(planted, recipes=recipes, optimizers={"adam": Adam()}, seeds=8, made={"base": 0.6})
    rows = many.tables[0].groups[0].rows
    assert [row["recipe"] for row in rows[:3]] == ["r17", "r30", "r9"]
    assert [(row["harmed"], row["helped"]) for row in rows[:4]] == [
        ("1 of 4", "0 of 4"), ("1 of 4", "0 of 4"), ("0 of 4", "1 of 4"), ("0 of 4", "0 of 4")
    ]  # fmt: skip
    assert len({row["recipe"] for row in rows}) == 32


def test_names_are_marked_in_sentences_and_nowhere_else():
    section = section_of({("bright", 1): -0.6, ("bright", 3): 0.28}, made={"base": 0.7})
    texts = [*section.answer, *section.headline, section.question, *section.caution]
    texts += [one.caption for one in (*section.figures, *section.tables)]
    for name in ("none", "bright", "contrast", "dog", "fox"):
        assert any((name, True) in name_spans(text) for text in texts), name
    parts = [part for text in texts for part, is_name in name_spans(text) if not is_name]
    assert not any(re.search(r"\b(bright|contrast|cat|dog|fox|owl)\b|[“”]", part) for part in parts)
    cells = [cell for table in section.tables for group in table.groups for row in group.rows for cell in row.values()]
    alts = [one.alt for one in section.figures]
    for text in [*cells, *alts, *(head for table in section.tables for head in table.headers.values())]:
        assert plain(text) == text


def test_test_parts_that_are_redrawn_are_compared_over_seeds():
    study = study_of(HARM)
    seeds = {cell.spec.id: cell.seed for cell in study.results.cells}
    redrawn = study_of(HARM, made={"fresh": seeds.__getitem__}, test=Welch())
    harm = class_harm_of(redrawn)
    assert not harm.recipes[0].effects[1].over_images
    assert harm.recipes[0].shown(0.05, harm=True) == [1]
    assert len(harm.rows) > 160


def test_a_study_keeps_its_order_of_recipes():
    study = study_of(HARM)
    swapped = replace(study.experiment, recipes=dict(reversed(study.experiment.recipes.items())))
    assert [own.recipe for own in class_harm_of(study_of(HARM, recipes=swapped.recipes)).recipes] == [
        "contrast",
        "bright",
    ]
