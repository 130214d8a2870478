"""Separability of the classes over all runs: what is claimed, what is not, and the maps beside it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from holms import holms
from made_up import MadeUp, question, results_of, usual
from pages import Page, html_of
from scipy import stats
from sklearn.metrics import davies_bouldin_score, silhouette_score

from ablation.analysis.comparison import Paired
from ablation.analysis.sampling import stratified_subset
from ablation.augment import Brightness, Contrast
from ablation.core.errors import DataError
from ablation.core.seeds import stream
from ablation.core.text import NONE, name_spans, plain
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.record import Arrays
from ablation.report.contents import parts_ahead
from ablation.report.render.drawings import drawing
from ablation.report.section import Figure
from ablation.report.sections.embedding import compute, section
from ablation.report.sections.embedding.compute import KINDS, mapped, maps_of, separations
from ablation.report.sections.embedding.figure import draw_maps, notes, words
from ablation.report.sections.embedding.section import embedding, table
from ablation.report.sections.embedding.text import remarks
from ablation.report.style import styles, svg

BETTER = {"none": 1.0, "bright": 1.6, "contrast": 1.0}
"""How far apart the classes are under each recipe."""

Shape = Callable[[str, np.ndarray, np.ndarray], np.ndarray]
"""Of a recipe, centres (T, F) and noise (T, F), the features."""


def apart(distances: Mapping[str, float]) -> Shape:
    return lambda recipe, centres, noise: distances.get(recipe, 1.0) * centres + noise


USUAL = apart(BETTER)


def study_of(
    shape: Shape = USUAL,
    experiment: Experiment | None = None,
    score: Callable[[Cell], float | str] = usual,
    images: int = 45,
    photographs: bool = True,
    width: int = 12,
    classes: int = 3,
) -> Study:
    """Three classes in Gaussian clouds that are drawn anew for each run."""

    class Spaces(MadeUp):
        def features(self, run_id: str) -> Any:
            run = self.frame[self.frame["id"] == run_id].iloc[0]
            labels = np.arange(images) % classes
            centres = stream(0, "centres").normal(size=(classes, width))[labels]
            noise = stream(int(run["seed"]), "features", str(run["recipe"]), str(run["optimizer"])).normal(
                size=(images, width)
            )
            return np.arange(images), labels, shape(run["recipe"], centres, 1.5 * noise).astype(np.float32)

        def arrays(self, run_id: str) -> Arrays:
            sample, labels, features = self.features(run_id)
            logits = np.eye(10, dtype=np.float32)[np.where(sample % 5, labels, 4)]
            return Arrays(
                sample, labels, logits, features, np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)
            )

        def photographs(self, rows: np.ndarray, side: int) -> np.ndarray:
            if not photographs:
                raise DataError("the image cache is gone")
            return np.broadcast_to((rows % 256).astype(np.uint8)[:, None, None, None], (len(rows), side, side, 3))

    made = results_of(experiment or question(), score, test_images=images)
    return Study(Spaces(**vars(made)))


def answers(study: Study) -> tuple[str, ...]:
    """The sentences behind that with which the section opens."""
    section = embedding(study)
    assert section is not None
    return tuple(map(plain, section.answer[1:]))


def opened(study: Study) -> str:
    section = embedding(study)
    assert section is not None
    return plain(section.answer[0])


def test_a_recipe_that_separates_the_classes_is_said_to_and_one_that_does_not_is_not():
    bright, contrast, held = answers(study_of())
    assert bright.startswith("“bright” separates the classes better by 6 of 6 measures: silhouette +")
    assert "k-NN accuracy +" in bright
    assert "also Davies-Bouldin index, Fisher ratio, distance ratio and overlap" in bright
    assert contrast.startswith(
        "“contrast” is not shown to separate the classes better or worse by any of 6 measures (silh"
    )
    assert held.startswith("All of this holds for")
    assert "on these test photographs" in held
    assert opened(study_of()) == "“bright” separates the classes better than “none”, by 6 of 6 measures."
    section = embedding(study_of())
    assert section is not None
    assert plain(section.figures[0].caption).startswith(  # type: ignore[union-attr]
        "By the measures over all runs: “bright” separates the classes better than “none”, by 6 of 6 measures. "
    )
    rows = section.tables[0].groups[0].rows
    assert [(row["verdict"], row["shown"]) for row in rows] == [("better", "6 of 6"), ("undecided", "0 of 6")]


def test_classes_that_are_closer_together_are_separated_worse():
    bright, *_ = answers(study_of(apart({"bright": 0.5})))
    assert bright.startswith("“bright” separates the classes worse by 6 of 6 measures: silhouette \N{MINUS SIGN}")
    section = embedding(study_of(apart({"bright": 0.5})))
    assert section is not None
    (row, _) = section.tables[0].groups[0].rows
    assert row["davies_bouldin"].startswith("+"), "a higher index is worse"
    assert row["overlap"].startswith("+")
    assert all(row[kind.field].endswith(" ▼") for kind in KINDS)


def test_measures_that_disagree_are_both_named():
    """One class goes far away, and the two others become one."""

    def merged(recipe: str, centres: np.ndarray, noise: np.ndarray) -> np.ndarray:
        if recipe != "bright":
            return 2.5 * centres + noise
        first = (np.arange(len(centres)) % 3 == 0)[:, None]
        return np.where(first, 10 * centres[0], -10 * centres[0]) + noise

    bright, *_ = answers(study_of(merged))
    assert re.match(r"“bright” separates the classes better by .*, and worse by .*: the measures disagree\.", bright)
    better, worse = bright.split(", and worse by")
    assert "Fisher ratio" in better
    assert "k-NN accuracy" in worse
    assert opened(study_of(merged)) == "Of “bright” the measures disagree."
    section = embedding(study_of(merged))
    assert section is not None
    assert section.tables[0].groups[0].rows[0]["verdict"] == "mixed"


def test_differences_and_p_are_those_of_plain_programs():
    """Silhouette and Davies-Bouldin by scikit-learn, paired t by scipy, Holm by statsmodels."""
    study = study_of(experiment=replace(question(), test=Paired()))
    measured = separations(study)
    assert measured is not None
    results = study.results
    for recipe in measured.recipes:
        for index, of in ((0, silhouette_score), (2, davies_bouldin_score)):

            def value(run_id: str, of: Any = of) -> float:
                _, labels, features = results.features(run_id)
                return float(of(features / np.linalg.norm(features, axis=1, keepdims=True), labels))

            rows = results.finished.assign(value=[value(run_id) for run_id in results.finished["id"]])
            own, reference = (
                rows[rows["recipe"] == name].groupby("seed")["value"].mean() for name in (recipe.recipe, "none")
            )
            effect = recipe.effects[index]
            assert effect.estimate == pytest.approx(own.mean() - reference.mean(), abs=1e-5)
            assert effect.p == pytest.approx(stats.ttest_rel(own, reference).pvalue, rel=1e-3)
    every = [effect for recipe in measured.recipes for effect in recipe.effects]
    assert len(every) == 12
    holm = holms([effect.p for effect in every])
    np.testing.assert_allclose([effect.p_adjusted for effect in every], holm)


def test_nothing_is_claimed_where_there_is_no_effect_or_what_is_lacking_forbids_it():
    for study in (study_of(apart({})), study_of(experiment=replace(question(), seeds=2))):
        measured = separations(study)
        assert measured is not None
        assert not any(row.differs(0.05) for row in measured.recipes)
        assert not any(" ▲" in cell for row in table(measured).groups[0].rows for cell in row.values())
    assert opened(study_of(apart({}))) == (
        "No recipe is shown to separate the classes better or worse than “none” by any of 6 measures: every interval "
        "includes 0."
    )


def test_too_few_seeds_and_failed_runs_are_said():
    few = answers(study_of(experiment=replace(question(), seeds=2)))
    few_seeds = study_of(experiment=replace(question(), seeds=2))
    assert opened(few_seeds) == "“bright” and “contrast” cannot be judged: no verdict under 3 seeds."
    assert few[0].startswith("“bright”: no verdict under 3 seeds; so far a silhouette of +")
    lost = answers(
        study_of(
            score=lambda cell: (
                "failed" if (cell.seed, cell.factors["recipe"]) == (0, "bright") else 0.8 + 0.001 * cell.seed
            )
        )
    )
    assert "“bright”: 2 runs failed or diverged here: no verdict" in lost[0]
    assert "“contrast” is not shown" in lost[1]


def test_features_that_no_measure_is_defined_for_give_no_verdict():
    def broken(recipe: str, centres: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return centres + noise if recipe != "bright" else np.full_like(noise, np.nan)

    study = study_of(broken)
    bright, contrast, _ = answers(study)
    assert bright == "“bright”: the silhouette is no finite number in 5 seeds (0 of 5 seeds compared)."
    assert "“contrast” is not shown" in contrast
    of = mapped(study, study.experiment.recipes)
    assert of is not None
    assert list(of.arrays) == ["none", "contrast"], "what is not finite has no map"


def test_the_baseline_under_another_name_is_no_finding():
    twice = replace(question(), recipes={"none": (), "again": (), "bright": (Brightness(0.4),)})
    again, bright, _ = answers(study_of(experiment=twice))
    assert again == "“again” is the baseline's own runs under another name."
    assert bright.startswith("“bright” separates the classes better")


def test_one_recipe_alone_has_maps_and_nothing_to_compare():
    section = embedding(study_of(experiment=replace(question(), recipes={"none": ()})))
    assert section is not None
    assert list(map(plain, section.answer)) == ["There is no recipe to compare with “none”."]
    assert section.tables == ()
    assert len(section.figures) == 1


def test_a_metric_that_is_better_when_lower_changes_nothing():
    lower = replace(question(), metric="log_loss")
    assert answers(study_of(experiment=lower))[0].startswith("“bright” separates the classes better by 6 of 6")


def test_seeds_are_compared_in_pairs_where_the_test_does():
    paired = separations(study_of(experiment=replace(question(), test=Paired())))
    assert paired is not None
    assert paired.recipes[0].effects[0].shown(0.05)


def test_without_a_finished_run_there_is_no_section():
    assert embedding(study_of(score=lambda cell: "planned")) is None


def test_many_recipes_are_counted():
    many = {"none": ()} | {f"r{index}": (Brightness(0.1 + 0.05 * index),) for index in range(9)}
    far = {f"r{index}": 1.7 for index in range(8)}
    said = answers(study_of(apart(far), replace(question(), recipes=many)))
    assert sum("separates the classes better" in sentence for sentence in said) == 6
    assert opened(study_of(apart(far), replace(question(), recipes=many))) == (
        "8 of 9 recipes separate the classes better than “none”, each by 6 of 6 measures."
    )
    assert "2 more recipes differ in a measure; the table has their numbers." in said
    assert "Of “r8” no difference is shown in any measure." in said


def test_it_opens_with_the_recipes_of_each_side():
    recipes = {"none": ()} | {name: (Brightness(0.1 + 0.1 * index),) for index, name in enumerate("abcd")}
    study = study_of(apart({"a": 1.6, "b": 0.5, "c": 1.8, "d": 1.0}), replace(question(), recipes=recipes))
    assert opened(study) == (
        "“a” and “c” separate the classes better than “none”, each by 6 of 6 measures; “b” separates the classes "
        "worse than “none”, by 6 of 6 measures."
    )


def test_of_more_recipes_than_a_page_shows_those_that_are_surest_to_differ_come_first():
    recipes = {"none": ()} | {f"r{index}": (Brightness(0.01 + 0.01 * index),) for index in range(32)}
    study = study_of(apart({"r20": 1.8, "r31": 1.8}), replace(question(), recipes=recipes))
    section = embedding(study)
    assert section is not None
    (figure,) = section.figures
    assert isinstance(figure, Figure)
    maps = [shown.recipe for shown in figure.data().maps]
    assert maps[0] == "none"
    assert {"r20", "r31"} <= set(maps)
    assert len(maps) == 12
    assert maps == [recipe for recipe in recipes if recipe in maps], "as in the experiment"
    assert figure.caption.endswith(" Drawn are 12 of 33 recipes, those surest to differ.")
    summary, each = section.tables
    names = [row["recipe"] for row in summary.groups[0].rows]
    assert set(names[:2]) == {"r20", "r31"}
    assert len(names) == len(set(names)) == 32
    assert [plain(group.title).split(",")[0] for group in each.groups] == [f"“{name}”" for name in names]


def test_names_are_marked_in_sentences_and_nowhere_else():
    section = embedding(study_of())
    assert section is not None
    texts = [*section.answer, section.question, *section.caution, *(one.caption for one in section.figures)]
    texts += [text for one in section.tables for text in (one.caption, *(group.title for group in one.groups))]
    for recipe in ("none", "bright", "contrast"):
        assert any((recipe, True) in name_spans(text) for text in texts), recipe
    spans = [part for text in texts for part, is_name in name_spans(text) if not is_name]
    assert not any(re.search(r"\b(bright|contrast|none|adam)\b", part) for part in spans)
    cells = [cell for one in section.tables for group in one.groups for row in group.rows for cell in row.values()]
    for text in [*cells, *(head for one in section.tables for head in one.headers.values())]:
        assert plain(text) == text
    assert all(plain(figure.alt) == figure.alt for figure in section.figures)


def test_classes_of_fewer_images_than_neighbours_are_warned_of():
    few, enough = (embedding(study_of(images=48, classes=classes)) for classes in (6, 3))
    assert few is not None
    assert enough is not None
    assert "The smallest class has 8 images among those measured" in few.caution[0]
    columns = [{row["overlap"] for row in section.tables[0].groups[0].rows[1:]} for section in (few, enough)]
    assert columns[0] == {NONE}
    assert NONE not in columns[1]
    assert not any("smallest class" in note for note in enough.caution)


def test_measures_are_of_a_subset_in_which_classes_keep_their_shares(monkeypatch):
    monkeypatch.setattr(compute, "MOST_MEASURED", 30)
    study = study_of(images=90)
    run_id = str(study.results.finished["id"].iloc[0])
    _, labels, features = study.results.features(run_id)
    picks = stratified_subset(labels, 30)
    measured = compute.measure_runs(study.results, [run_id])[run_id]
    unit = features[picks] / np.linalg.norm(features[picks], axis=1, keepdims=True)
    assert measured.measures.silhouette == pytest.approx(silhouette_score(unit, labels[picks]), abs=1e-5)
    assert (measured.whole, measured.smallest_class) == (False, 10)


def figure_of(study: Study) -> Figure:
    section = embedding(study)
    assert section is not None
    (figure,) = section.figures
    assert isinstance(figure, Figure)
    return figure


def test_maps_start_from_one_layout_and_say_how_they_are_made():
    study = study_of(width=64)
    caption = figure_of(study).caption
    assert "perplexity 14.7, the most that 45 images allow" in caption
    assert "50 principal components" in caption
    assert "Each network has a map of its own" in caption
    of = mapped(study, study.experiment.recipes)
    assert of is not None
    info = maps_of(study, of)
    assert [shown.recipe for shown in info.maps] == ["none", "bright", "contrast"]
    assert all("trustworthiness" in notes(shown)[0] for shown in info.maps)
    assert words(info, info.maps[0], 0) == "a, taken for e"
    assert words(info, info.maps[0], 1) == "b"


def test_maps_that_begin_before_anything_is_measured_are_those_of_the_figure(monkeypatch):
    study = study_of()
    ahead, parts = parts_ahead([study]), figure_of(study).parts
    assert len(ahead) == 3
    assert ahead == list(parts), "so a second process's results are taken for them"
    for begun, part in zip(ahead, parts, strict=True):
        for own in ("features", "labels", "logits", "first"):
            assert np.array_equal(getattr(begun, own), getattr(part, own)), own
    assert parts_ahead([study], ["effects"]) == []
    monkeypatch.setattr(section, "MOST_MAPS", 2)
    assert parts_ahead([study]) == [], "which recipes have one is known only when all are measured"


def test_a_map_of_low_trustworthiness_is_warned_of():
    study = study_of()
    of = mapped(study, study.experiment.recipes)
    assert of is not None
    info = maps_of(study, of)
    good, bad = (replace(info, maps=tuple(replace(one, trustworthiness=t) for one in info.maps)) for t in (0.9, 0.6))
    assert remarks(good) == ()
    (remark,) = remarks(bad)
    assert "The maps of “none”, “bright” and “contrast” cannot be trusted" in plain(remark)
    assert notes(bad.maps[0])[0].endswith("0.60: low")


def test_what_is_beside_the_pointer_lies_on_the_points_that_are_drawn():
    study = study_of()
    figure = figure_of(study)
    made = drawing(figure, styles(study.experiment.recipes, "none"), "map")
    held = json.loads(made.points)
    assert len(held["points"]) == 3 * 45
    tree = ElementTree.fromstring(svg(draw_maps(figure.data(), styles(study.experiment.recipes, "none"))))
    width, height = (float(x) for x in tree.attrib["viewBox"].split()[2:])
    uses = tree.iterfind(".//{http://www.w3.org/2000/svg}g[@clip-path]/{http://www.w3.org/2000/svg}use")
    drawn = np.array([[float(use.attrib["x"]) / width, float(use.attrib["y"]) / height] for use in uses])
    found = np.array([point[:2] for point in held["points"]]) / 1e4
    assert len(drawn) == len(found)
    nearest = np.abs(found[:, None] - drawn).max(axis=2)
    assert nearest.min(axis=1).max() < 2e-4
    assert nearest.min(axis=0).max() < 2e-4
    assert [point[2] for point in held["points"]] == [*range(45)] * 3
    assert set(held["words"]) == {"a", "b", "c", "a, taken for e", "b, taken for e", "c, taken for e"}


def test_the_page_carries_points_photographs_and_one_script():
    html = html_of(study_of(images=30), ["embedding"])
    page = Page(html)
    assert page.open == []
    (frame,) = (attributes for _, attributes in page.tags if "data-hover" in attributes)
    assert len(json.loads(str(frame["data-hover"]))["points"]) == 90
    assert frame["tabindex"] == "0"
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert html.count("data:image/jpeg;base64,") == 1, "one sheet of photographs for all maps"


def test_without_the_image_cache_the_words_stand_alone():
    html = html_of(study_of(images=30, photographs=False), ["embedding"])
    assert "Photographs are not shown: the image cache is gone." in html
    assert "data:image/jpeg" not in html
    assert any("data-hover" in attributes for _, attributes in Page(html).tags)


def test_class_names_are_escaped_beside_the_pointer():
    study = study_of(images=30)
    hostile = ('"><script>alert(1)</script>', *study.results.classes[1:])
    html = html_of(Study(replace(study.results, classes=hostile)), ["embedding"])
    assert "<script>alert" not in html
    (frame,) = (attributes for _, attributes in Page(html).tags if "data-hover" in attributes)
    assert hostile[0] in json.loads(str(frame["data-hover"]))["words"]


def test_a_page_without_such_a_figure_has_nothing_beside_the_pointer():
    study = study_of(
        score=lambda cell: "planned", experiment=replace(question(), recipes={"none": (), "c": (Contrast(0.2),)})
    )
    assert not any("data-hover" in attributes for _, attributes in Page(html_of(study, ["effects"])).tags)
