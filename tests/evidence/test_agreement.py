"""Several experiments in one table: what must agree, what may differ, and what is said of both."""

from dataclasses import replace

import pytest
from made_up import question, results_of

from ablation import Brightness, Contrast, Fixed
from ablation.core.errors import InputError
from ablation.core.text import NONE, plain
from ablation.evidence.agreement import Difference, differences
from ablation.evidence.study import Study
from ablation.report.sections.effects.several import several


def study_of(name: str, **changes) -> Study:
    return Study(results_of(replace(question(), name=name, **changes)))


def test_what_differs_is_named_and_nothing_else():
    recipes = {"none": (), "bright": (Brightness(0.2),), "strong": (Contrast(0.8),)}
    found = differences([study_of("one"), study_of("two", epochs=7, recipes=recipes)])
    assert found == (
        Difference("epochs", ("30", "7")),
        Difference("recipe bright", ("Brightness(brightness=0.4)", "Brightness(brightness=0.2)")),
        Difference("recipe contrast", ("Contrast(contrast=0.4)", NONE)),
        Difference("recipe strong", (NONE, "Contrast(contrast=0.8)")),
    )


def test_experiments_that_differ_in_nothing_but_their_names():
    assert differences([study_of("one"), study_of("two")]) == ()


def test_a_field_that_varies_in_one_alone_differs():
    (found,) = differences([study_of("one"), study_of("two", vary={"batch_size": (16, 64)})])
    assert found == Difference("batch_size", ("64", "16, 64"))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"split": Fixed(0.5, 0.25, 0.25)}, "split: one has Fixed"),
        ({"metric": "macro_f1"}, "metric: one has accuracy; two has macro_f1"),
    ],
)
def test_experiments_with_other_photographs_or_another_metric_are_refused(changes, wrong):
    with pytest.raises(InputError, match=wrong):
        differences([study_of("one"), study_of("two", **changes)])


def test_experiments_on_other_data_are_refused():
    other = study_of("two")
    moved = tuple(replace(cell, spec=replace(cell.spec, data="1" * 16)) for cell in other.results.cells)
    with pytest.raises(InputError, match=r"data: one has Digits\(\) \(000000000000\); two has Digits\(\) \(1111"):
        differences([study_of("one"), Study(replace(other.results, cells=moved))])


def test_an_experiment_given_twice_is_refused():
    with pytest.raises(InputError, match="one is given twice"):
        differences([study_of("one"), study_of("two"), study_of("one")])


def test_the_common_table_has_the_pooled_rows_of_each_as_they_are_there():
    studies = [study_of("one"), study_of("two", seeds=3)]
    section = several(studies)
    table, differing = section.tables
    assert [plain(group.title) for group in table.groups] == [
        "“one” · pooled over 2 conditions",
        "“two” · pooled over 2 conditions",
    ]
    assert list(table.headers)[-1] == "verdict"
    for study, group in zip(studies, table.groups, strict=True):
        pooled = [effect for effect in study.effects if effect.pooled]
        assert [row["verdict"] for row in group.rows] == [effect.verdict for effect in pooled]
        assert [row["recipe"] for row in group.rows] == ["none", "bright", "contrast"]
    assert [row["what"] for row in differing.groups[0].rows] == ["seeds"]
    assert plain(section.answer[0]).startswith(
        "“one”: “bright” is better than “none”, and “contrast” is worse, pooled over “adam” and “sgd” (“bright” +4.7"
    )
    assert "No test is made across experiments" in section.caution[0]


def test_intervals_of_two_levels_are_said_beside_each_and_not_over_all():
    table, differing = several([study_of("one"), study_of("two", alpha=0.2)]).tables
    assert table.headers["interval"] == "interval"
    assert [plain(group.title) for group in table.groups] == [
        "“one” · pooled over 2 conditions · 95 % intervals",
        "“two” · pooled over 2 conditions · 80 % intervals",
    ]
    assert {"what": "alpha", "experiment 0": "0.05", "experiment 1": "0.2"} in differing.groups[0].rows
    alike, _ = several([study_of("one"), study_of("two", seeds=3)]).tables
    assert alike.headers["interval"] == "95 % interval"
