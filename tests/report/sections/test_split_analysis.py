"""Did it reduce overfitting? What is claimed of the gap, against plain programs, and what is not where arrays lack."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from made_parts import World, fits_less, generalizes, nothing, study_of
from matplotlib.figure import Figure
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, log_loss

from ablation.analysis.comparison import Paired
from ablation.augment import Brightness, Contrast, Hue
from ablation.core.text import MINUS, NONE, name_spans, named, plain
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.study import Study
from ablation.experiment.record import RunRecord
from ablation.report.contents import SECTIONS
from ablation.report.section import Section
from ablation.report.sections.split_analysis.compute import split_analysis_of
from ablation.report.sections.split_analysis.figure import ConfusionInfo, draw_confusion, draw_gaps
from ablation.report.sections.split_analysis.section import split_analysis
from ablation.report.style import styles, svg


def section_of(study: Study) -> Section:
    section = split_analysis(study)
    assert section is not None
    return section


def of(section: Section, recipe: str) -> str:
    """The sentence about a recipe, behind the one with which the section opens."""
    (text,) = (text for text in map(plain, section.answer[1:]) if text.startswith(f"“{recipe}”"))
    return text


def opened(section: Section) -> str:
    return plain(section.answer[0])


def row_of(section: Section, recipe: str) -> dict[str, str]:
    (row,) = (row for row in section.tables[0].groups[0].rows if row["recipe"] == recipe)
    return dict(row)


def test_it_is_in_the_report():
    assert SECTIONS["split_analysis"] is split_analysis


def test_a_planted_gap_is_found_and_explained():
    section = section_of(study_of(World(fits_less, images=300)))
    said = of(section, "bright")
    assert said.startswith("“bright” reduces the generalization gap by ")
    assert " points of accuracy (95 % interval " in said
    assert "Holm p" in said
    assert "n = 6 seeds" in said
    assert "“contrast” is not shown to change" in of(section, "contrast")
    assert opened(section) == said.split(" (")[0] + "."
    assert [row["verdict"] for row in section.tables[0].groups[0].rows] == ["baseline", "smaller", "undecided"]


def test_less_fit_is_named_as_the_reason_where_the_test_score_is_no_better():
    def worse(recipe, part):
        return {"train": -0.9, "test": -0.15}.get(part, 0.0) if recipe == "bright" else 0.0

    said = of(section_of(study_of(World(worse, images=300))), "bright")
    assert " In these runs it fits the training part less than “none” does." in said


def test_a_gap_that_closes_from_the_test_side_is_not_put_down_to_less_fit():
    said = of(section_of(study_of(World(generalizes, images=300))), "bright")
    assert "reduces the generalization gap" in said
    assert "fits the training part" not in said


def test_a_wider_gap_is_called_wider():
    def wider(recipe, part):
        return -0.6 if recipe == "bright" and part == "test" else 0.0

    section = section_of(study_of(World(wider, images=300)))
    assert "“bright” widens the generalization gap by " in of(section, "bright")
    assert opened(section).startswith("“bright” widens the generalization gap by ")


def test_it_opens_with_all_recipes_that_change_the_gap_and_the_largest_change():
    def both(recipe, part):
        return 0.0 if part != "test" else {"bright": 0.6, "hue": 0.9, "contrast": -0.6}.get(recipe, 0.0)

    recipes = {"none": (), "bright": (Brightness(0.4),), "hue": (Hue(0.1),), "contrast": (Contrast(0.4),)}
    section = section_of(study_of(World(both, images=400), recipes=recipes))
    hue = max(
        abs(row.effect.estimate)
        for row in split_analysis_of(study_of(World(both, images=400), recipes=recipes)).recipes[:2]
    )
    assert opened(section) == (
        f"“hue” and “bright” reduce the generalization gap by up to {100 * hue:.1f} points of accuracy; "
        "“contrast” widens it."
    )


def test_without_an_effect_nothing_is_claimed():
    section = section_of(study_of(World(nothing)))
    assert not any(word in text for text in section.answer for word in ("reduce", "widen"))
    assert re.fullmatch(
        r"No recipe is shown to change the generalization gap: the largest difference is .\d+\.\d points, "
        r"and its interval includes 0\.",
        opened(section),
    )
    assert section.answer[-1] == "This holds for this split, on this data, model and budget."


def test_the_numbers_are_those_of_a_plain_program():
    study = study_of(World(fits_less), test=Paired())
    gaps, values = {}, {}
    for cell in study.results.cells:
        parts = {part: study.results.part(cell.spec.id, part) for part in ("train", "val", "test")}
        right = {part: float(np.mean([g == t for g, t in zip(one.logits.argmax(1), one.label, strict=True)]))
                 for part, one in parts.items()}  # fmt: skip
        gaps.setdefault(cell.factors["recipe"], {})[cell.seed] = right["train"] - right["test"]
        values.setdefault(cell.factors["recipe"], []).append(parts)
    split = split_analysis_of(study)
    own, other = (np.array([gaps[recipe][seed] for seed in range(6)]) for recipe in ("bright", "none"))
    raw = [stats.ttest_rel([gaps[name][s] for s in range(6)], other).pvalue for name in ("bright", "contrast")]
    low, high = sorted(raw)
    holm = {low: min(1, 2 * low), high: max(min(1, 2 * low), high)}
    for row, p in zip(split.recipes, raw, strict=True):
        assert row.effect.p_adjusted == pytest.approx(holm[p])
    assert split.recipes[0].effect.estimate == pytest.approx(np.mean(own - other))
    assert split.recipes[0].gap("accuracy") == pytest.approx(np.mean(own))
    for part in ("train", "val", "test"):
        runs = [parts[part] for parts in values["bright"]]
        guesses = [(one.label, one.logits.argmax(1)) for one in runs]
        odds = [np.exp(one.logits) / np.exp(one.logits).sum(1, keepdims=True) for one in runs]
        wanted = {
            "macro_f1": np.mean([f1_score(*pair, average="macro") for pair in guesses]),
            "balanced_accuracy": np.mean([balanced_accuracy_score(*pair) for pair in guesses]),
            "log_loss": np.mean([log_loss(one.label, p) for one, p in zip(runs, odds, strict=True)]),
            "brier": np.mean([np.square(p - np.eye(10)[one.label]).sum(1) for one, p in zip(runs, odds, strict=True)]),
        }
        for name, value in wanted.items():
            assert split.recipes[0].values[part][name] == pytest.approx(value, rel=1e-5), (part, name)


def test_the_change_of_confusion_is_that_of_scikit_learn():
    study = study_of(World(generalizes))
    mean = {
        recipe: np.mean(
            [
                confusion_matrix(test.label, test.logits.argmax(1), normalize="true")
                for cell in study.results.cells
                if cell.factors["recipe"] == recipe and (test := study.results.test_predictions(cell.spec.id))
            ],
            0,
        )
        for recipe in ("bright", "none")
    }
    split = split_analysis_of(study)
    np.testing.assert_allclose(split.recipes[0].change, mean["bright"] - mean["none"], atol=1e-12)
    np.testing.assert_allclose(split.confusion, mean["none"], atol=1e-12)
    caption = section_of(study).figures[-1].caption
    most = 100 * np.abs(mean["bright"] - mean["none"]).max()
    assert f"by {most:.1f} points" in caption
    assert "No cell is tested" in caption
    assert plain(caption).startswith("The largest change: with “bright” images of class “")


def test_a_loss_has_its_gap_the_other_way_round():
    study = study_of(World(fits_less, images=300), metric="log_loss")
    split = split_analysis_of(study)
    assert split.metric == "log_loss"
    none, bright = split.baseline, split.recipes[0]
    assert none.gap("log_loss") == pytest.approx(none.values["test"]["log_loss"] - none.values["train"]["log_loss"])
    assert none.gap("log_loss") > bright.gap("log_loss") > 0
    assert bright.effect.estimate == pytest.approx(bright.gap("log_loss") - none.gap("log_loss"))
    section = section_of(study)
    assert "“bright” reduces the generalization gap by" in of(section, "bright")
    assert "nats of log loss" in of(section, "bright")
    assert "test score less training score" in section.question


def test_a_metric_that_is_no_mean_over_images_gives_way_to_accuracy():
    section = section_of(study_of(World(fits_less), metric="macro_f1"))
    assert any("gap is one of accuracy, as macro F1 is no mean" in note for note in section.caution)
    assert "accuracy" in section.question


def test_where_all_fit_alike_a_gap_is_claimed_only_where_the_comparison_shows_one():
    alike = study_of(World(generalizes, images=300, fit=50.0))
    split = split_analysis_of(alike)
    assert all(row.same_train for row in split.recipes)
    assert "100.0 % in every run on the training part" in of(section_of(alike), "bright")
    bright = split.recipes[0]
    assert bright.shown(0.05)
    assert bright.average.verdict == "better"
    assert bright.effect.estimate == pytest.approx(-bright.average.estimate)
    assert not replace(bright, average=replace(bright.average, verdict="undecided")).shown(0.05)
    assert any("only where the comparison" in note for note in section_of(alike).caution)


def test_old_records_say_what_is_missing_and_how_to_get_it():
    section = section_of(study_of(World(generalizes, kept=lambda cell: ("test",))))
    unknown, help_ = section.answer
    assert unknown.startswith("The generalization gap is not known: ")
    assert "`ablation run made-up`" in help_
    assert "Remove their folders" in help_
    assert [table.folded != "" for table in section.tables] == [True]
    assert len(section.figures) == 1, "what is confused is known all the same"


def test_one_old_record_stops_the_claim_of_its_recipe_alone():
    def kept(cell):
        return ("test",) if cell.factors["recipe"] == "bright" and cell.seed == 0 else ("train", "val", "test")

    section = section_of(study_of(World(fits_less, kept=kept, images=300)))
    assert "“bright”: the records of 1 seed lack" in of(section, "bright")
    assert "reduces" not in " ".join(section.answer)
    assert row_of(section, "bright")["train"] == NONE
    assert row_of(section, "bright")["p"] == NONE


def test_without_a_validation_part_its_column_is_missing():
    section = section_of(study_of(World(kept=lambda cell: ("train", "test"))))
    assert "val" not in section.tables[0].headers
    assert "There is no validation part." in section.caution


def test_a_part_that_was_kept_in_part_is_called_that():
    study = study_of()
    records = {
        cell.spec.id: RunRecord(cell.spec.id, "finished", (), {}, {"train_images": 5000}, {}, {})
        for cell in study.results.cells
    }
    notes = section_of(study_of(records=records)).caution
    assert any("of 120 of the 5,000 training images" in note for note in notes)
    assert not any("training images, as many" in note for note in section_of(study).caution)


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_give_no_verdict(seeds):
    section = section_of(study_of(World(fits_less, images=300), seeds=seeds))
    assert not any(word in text for text in section.answer for word in ("reduce", "widen"))
    assert opened(section).startswith("“bright” and “contrast” cannot be judged: ")
    assert split_analysis_of(study_of(World(fits_less), seeds=seeds)).recipes[0].effect.note


def test_a_failed_run_gives_no_verdict():
    def lost(cell):
        return cell.factors["recipe"] == "bright" and cell.seed == 0

    section = section_of(study_of(World(fits_less, images=300), lost=lost))
    assert "failed or diverged" in of(section, "bright")
    assert "reduces" not in of(section, "bright")


def test_the_baseline_under_another_name_is_called_that():
    recipes = {"none": (), "nothing": (), "bright": (Brightness(0.4),)}
    section = section_of(study_of(World(fits_less, images=300), recipes=recipes))
    assert f"{named('nothing')}: {OWN_RUNS}." in section.answer
    assert "“bright” reduces" in of(section, "bright")


def test_the_baseline_alone_has_its_gap_and_nothing_beside_it():
    section = section_of(study_of(recipes={"none": ()}))
    assert re.fullmatch(r"“none” has a generalization gap of \d+\.\d points of accuracy\.", opened(section))
    assert section.answer[1].endswith("There is no recipe to compare it with.")
    assert len(section.figures) == 1


def test_without_a_run_there_is_no_section():
    assert split_analysis(study_of(lost=lambda cell: True)) is None


def test_many_recipes_are_counted():
    recipes = {"none": ()} | {f"bright {index}": (Brightness(0.01 * (index + 1)),) for index in range(9)}
    section = section_of(study_of(recipes=recipes))
    assert opened(section).startswith("No recipe is shown to change the generalization gap: ")
    assert len(section.answer) == 2
    info = section.figures[-1].data
    assert len(info.changes) == 6
    assert "Drawn are the 6 of 9 recipes" in section.figures[-1].caption


def test_of_more_recipes_than_a_page_shows_those_with_the_largest_differences_come_first():
    def gain(recipe, part):
        return 0.1 * int(recipe.split()[-1]) if part == "test" and recipe != "none" else 0.0

    recipes = {"none": ()} | {f"bright {index}": (Brightness(0.01 * (index + 1)),) for index in range(33)}
    section = section_of(study_of(World(gain, images=200), recipes=recipes, seeds=3))
    assert opened(section).endswith(" of accuracy.")
    rows = section.tables[0].groups[0].rows
    names = [row["recipe"] for row in rows]
    assert names[0] == "none"
    assert sorted(names) == sorted(recipes)
    shown = [row["verdict"] != "undecided" for row in rows[1:]]
    assert shown == sorted(shown, reverse=True)
    assert len(set(shown)) == 2
    for part in (True, False):
        own = [row["difference"] for row, of in zip(rows[1:], shown, strict=True) if of == part]
        sizes = [abs(float(text.replace(MINUS, "-"))) for text in own]
        assert sizes == sorted(sizes, reverse=True)
    gaps = section.figures[0]
    assert [row.name for row in gaps.data.rows] == names[:31]
    assert " Drawn are 30 of 33 recipes: " in gaps.caption


def test_names_are_marked_in_sentences_and_nowhere_else():
    section = section_of(study_of(World(fits_less, images=300)))
    texts = [*section.answer, section.question, *section.caution, *(one.caption for one in section.figures)]
    texts += [table.caption for table in section.tables]
    for recipe in ("none", "bright", "contrast"):
        assert any((recipe, True) in name_spans(text) for text in texts), recipe
    assert not any(re.search(rf"\b{recipe}\b", part) for text in texts for part, is_name in name_spans(text)
                   if not is_name for recipe in ("bright", "contrast"))  # fmt: skip
    cells = [cell for table in section.tables for group in table.groups for row in group.rows for cell in row.values()]
    for text in [*cells, *(head for table in section.tables for head in table.headers.values())]:
        assert plain(text) == text
    assert all(plain(figure.alt) == figure.alt for figure in section.figures)


def test_many_classes_are_cut_to_those_that_change():
    section = section_of(study_of(World(generalizes, classes=40, images=400)))
    info = section.figures[-1].data
    assert len(info.classes) == 30
    assert "Drawn are the 30 of 40 classes" in section.figures[-1].caption
    draw_confusion(info, styles(["none", "bright", "contrast"], "none"))


def test_the_figures_show_what_the_table_says():
    section = section_of(study_of(World(fits_less)))
    look = styles(["none", "bright", "contrast"], "none")
    gaps, confusion = section.figures
    axes = draw_gaps(gaps.data, look, Figure().subplots())
    for line, row in zip(axes.lines[::3], gaps.data.rows, strict=True):
        assert sorted(line.get_xdata()) == sorted([row.train, row.test])
    shown = {text.get_text() for text in axes.texts}
    assert {row["gap"] for row in section.tables[0].groups[0].rows} <= shown
    panels = draw_confusion(confusion.data, look)
    assert [panel.get_title("left") for panel in panels] == ["bright", "contrast"]
    assert svg(panels).startswith(b"<?xml")


@pytest.mark.parametrize("count", [2, 12])
def test_names_and_numbers_of_few_and_many_classes(count):
    names = tuple(f"a class with a very long name {index}" for index in range(count))
    change = np.zeros((count, count))
    change[0, 0], change[0, 1], change[1, 1] = 12.3, -12.3, math.nan
    panels = draw_confusion(ConfusionInfo(names, {"one": change}), styles(["none", "one"], "none"))
    amount = "12.3" if count == 2 else "12"
    assert [text.get_text() for text in panels[0].texts] == [f"+{amount}", f"\N{MINUS SIGN}{amount}"]
    assert all(len(label.get_text()) <= 20 for label in panels[0].get_yticklabels())
