"""What a recipe costs beside what it gains: what is shown, what is not, and which runs have nothing in common."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import alike, noise, question, results_of, usual
from names import unmarked, wrongly_marked
from scipy import stats

from ablation.analysis.comparison import Paired
from ablation.augment import Brightness
from ablation.core.files import Journal
from ablation.core.seeds import stream
from ablation.core.text import MINUS, NONE
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.optim import Adam
from ablation.report.contents import SECTIONS
from ablation.report.section import Section
from ablation.report.sections.cost_pareto.compute import _others, costs_of
from ablation.report.sections.cost_pareto.figure import CostInfo, CostPanel, CostPoint, draw_costs, placed
from ablation.report.sections.cost_pareto.section import cost_pareto
from ablation.report.style import styles

TIMES = {"none": 1.0, "bright": 1.04, "contrast": 0.9}
"""What a recipe takes, in multiples of the baseline."""

Of = Callable[[Cell], Any]


def luck(cell: Cell, size: float = 0.005) -> float:
    return float(stream(cell.seed, "seconds", *cell.factors.values()).normal(0, size))


def seconds(cell: Cell) -> float:
    return 100 * TIMES.get(cell.factors["recipe"], 1.0) * math.exp(luck(cell))


def even(cell: Cell) -> float:
    return 100 * math.exp(luck(cell))


def study_of(
    taken: Of = seconds, memory: Of = lambda cell: None, machine: Of = lambda cell: ("a", "cpu"), score: Of = usual,
    root: Path | None = None, **changes: Any,
) -> Study:  # fmt: skip
    """Of runs that took so long and so much memory, each on a machine (host, device)."""
    results = results_of(replace(question(), test=Paired(), **changes), score)
    status = dict(zip(results.frame["id"], results.frame["status"], strict=True))
    records = {}
    for cell in results.cells:
        if status[cell.spec.id] != "finished":
            continue
        host, device = machine(cell)
        cost = {"seconds": taken(cell), "gpu_memory_mib": memory(cell)}
        cost = {name: amount for name, amount in cost.items() if amount is not None}
        where = {"host": host, "device": device}
        records[cell.spec.id] = RunRecord(cell.spec.id, "finished", (), {}, {}, cost, where)
    return Study(replace(results, records=records, root=root or results.root))


def section_of(*args: Any, **options: Any) -> Section:
    section = cost_pareto(study_of(*args, **options))
    assert section is not None
    return unmarked(section)


def of_study(study: Study) -> Section:
    section = cost_pareto(study)
    assert section is not None
    return unmarked(section)


def journals(study: Study, spans: Callable[[int, Cell], list[tuple[float, float]]]) -> None:
    for index, cell in enumerate(study.results.cells):
        now = iter([moment for span in spans(index, cell) for moment in span])
        folder = study.results.root / cell.spec.id
        folder.mkdir()
        journal = Journal(folder / "journal.jsonl", lambda now=now: next(now))
        for _ in spans(index, cell):
            journal.append("started")
            journal.append("finished")


def test_time_that_is_shown_stands_beside_what_compare_says():
    section = section_of()
    foremost, bright, contrast, held = section.answer
    assert re.fullmatch(r"bright costs [34]\.\d % more training time than none; contrast takes less\.", foremost)
    (figure,) = section.figures
    assert figure.caption.startswith("On the Pareto front of the means are ")
    assert re.search(r"“none” 0\.0 % at [78]\d\.\d %, “bright” \+[34]\.\d % at ", figure.alt)
    assert figure.data.panels[0].axis == "training time relative to “none” (%)"
    assert re.match(r"bright costs [34]\.\d % more time than none \(95 % interval \d\.\d to \d\.\d %; Holm p ", bright)
    assert re.search(r"\) for a gain of [45]\.\d points of accuracy\.$", bright)
    assert re.match(r"contrast takes \d+\.\d % less time than none \(95 % interval ", contrast)
    assert re.search(r"\) and has a loss of [45]\.\d points of accuracy\.$", contrast)
    assert held.startswith("Times hold for new seeds with this model and budget on the CPU; gains hold for ")


def test_the_numbers_are_those_of_a_plain_program():
    study = study_of()
    costs = costs_of(study)
    assert costs is not None
    p_values = {}
    for cost in costs.recipes:
        differences = []
        for seed in range(5):
            logs = {"none": [], cost.recipe: []}
            for cell in study.results.cells:
                if cell.seed == seed and cell.factors["recipe"] in logs:
                    logs[cell.factors["recipe"]].append(math.log(study.records[cell.spec.id].cost["seconds"]))
            differences.append(sum(logs[cost.recipe]) / 2 - sum(logs["none"]) / 2)
        tested = stats.ttest_1samp(differences, 0)
        assert cost.time.estimate == pytest.approx(np.mean(differences))
        assert cost.time.p == pytest.approx(tested.pvalue)
        half = tested.confidence_interval(1 - 0.05 / 2)
        assert (cost.time.low, cost.time.high) == pytest.approx((half.low, half.high))
        p_values[cost.recipe] = tested.pvalue
    small, large = sorted(p_values, key=p_values.__getitem__)
    by_name = {cost.recipe: cost.time.p_adjusted for cost in costs.recipes}
    assert by_name[small] == pytest.approx(2 * p_values[small])
    assert by_name[large] == pytest.approx(max(2 * p_values[small], p_values[large]))


def test_where_nothing_differs_nothing_is_claimed():
    foremost, bright, contrast, _ = section_of(even, score=alike).answer
    assert foremost == "No recipe is shown to change training time."
    for name, said in (("bright", bright), ("contrast", contrast)):
        assert said.startswith(f"{name} is not shown to cost more or less time (")
        assert ". Its accuracy is equivalent within 1.0 points (" in said
        assert "gain of" not in said


def test_a_gain_without_a_cost_is_what_compare_says():
    _, bright, contrast, _ = section_of(even).answer
    assert re.search(r"not shown to cost .*\. It has a gain of [45]\.\d points of accuracy\.$", bright)
    assert re.search(r"\. It has a loss of [45]\.\d points of accuracy\.$", contrast)


def test_a_difference_that_is_open_is_no_gain():
    gains = {"none": 0, "bright": 0.006, "contrast": 0}
    _, bright, *_ = section_of(score=lambda cell: 0.8 + gains[cell.factors["recipe"]] + 3 * noise(cell)).answer
    assert ". A difference in accuracy is not shown (" in bright


def test_a_cost_without_a_gain():
    _, bright, *_ = section_of(score=alike).answer
    assert re.search(
        r"costs [34]\.\d % more time than none \(.*\)\. Its accuracy is equivalent within 1.0 points \(", bright
    )


def test_lower_is_better():
    section = section_of(metric="log_loss", score=lambda cell: 1 - usual(cell))
    _, bright, contrast, _ = section.answer
    assert bright.endswith(" nats of log loss.")
    assert " for a gain of 0.0" in bright
    assert " and has a loss of 0.0" in contrast
    (figure,) = section.figures
    (panel,) = figure.data.panels
    assert {point.recipe for point in panel.front} == {"contrast", "none", "bright"} - {
        point.recipe
        for point in panel.points
        if any(
            other.x <= point.x and other.y <= point.y and (other.x, other.y) != (point.x, point.y)
            for other in panel.points
        )
    }
    assert figure.data.lower_is_better


def test_no_run_and_one_recipe_alone_give_no_section():
    assert cost_pareto(study_of(score=lambda cell: "failed")) is None
    assert cost_pareto(study_of(recipes={"none": ()})) is None


def test_a_failed_run_leaves_no_verdict():
    lost = section_of(
        score=lambda cell: "failed" if cell.factors["recipe"] == "bright" and cell.seed == 0 else usual(cell)
    )
    _, bright, contrast, _ = lost.answer
    assert bright.startswith("bright: 2 runs failed or diverged here: no verdict on those that are left; so far +")
    assert contrast.startswith("contrast takes ")


def test_too_few_seeds():
    foremost, *each = section_of(seeds=2).answer
    assert foremost == "bright and contrast cannot be judged: no verdict under 3 seeds."
    for said in each:
        assert ": no verdict under 3 seeds; so far " in said


def test_the_same_recipe_under_two_names():
    recipes = {"none": (), "nothing": (), "bright": (Brightness(0.4),)}
    section = section_of(recipes=recipes)
    assert f"nothing is {OWN_RUNS}." in section.answer
    (figure,) = section.figures
    assert [point.recipe for point in figure.data.panels[0].points] == ["none", "bright"]


def test_old_records_are_named_with_what_to_do():
    section = section_of(lambda cell: None)
    known, what = section.answer
    assert known.startswith("Training time is not known: an older version made these records")
    assert "`ablation run made-up`" in what
    assert not section.tables


def test_one_old_record_leaves_no_verdict():
    _, bright, contrast, _ = section_of(
        lambda cell: None if cell.factors["recipe"] == "bright" and cell.seed == 0 else seconds(cell)
    ).answer
    assert bright.startswith("bright: the records of 1 seed lack what this is computed from")
    assert contrast.startswith("contrast takes ")


def test_runs_of_two_machines_are_compared_within_each():
    slow = section_of(
        lambda cell: seconds(cell) * (3 if cell.seed > 2 else 1),
        machine=lambda cell: ("b" if cell.seed > 2 else "a", "cpu"),
    )
    assert slow.answer[0].startswith("bright costs ")
    assert slow.caution[0] == ("Runs were trained on 2 machines or devices (cpu): only runs of the same are compared.")


@pytest.mark.parametrize("where", [("b", "cpu"), ("a", "NVIDIA H200")])
def test_a_recipe_trained_elsewhere_is_not_compared(where):
    def machine(cell):
        return where if cell.factors["recipe"] == "bright" else ("a", "cpu")

    section = section_of(lambda cell: seconds(cell) * (3 if machine(cell) == where else 1), machine=machine)
    assert section.answer[0].startswith("contrast takes ")
    assert section.answer[1].startswith("bright: no verdict under 3 seeds whose runs can be compared, 0 of 5 seeds")
    assert section.answer[2].startswith("contrast takes ")
    assert any("Seeds left out" in note and "5 of bright" in note for note in section.caution)


def test_seeds_whose_pair_is_apart_under_one_condition_are_left_out():
    def machine(cell):
        away = cell.factors["recipe"] == "bright" and cell.seed == 4 and cell.factors["optimizer"] == "sgd"
        return ("b", "cpu") if away else ("a", "cpu")

    section = section_of(lambda cell: seconds(cell) * (9 if machine(cell)[0] == "b" else 1), machine=machine)
    assert "n = 4 of 5 seeds" in section.answer[1]
    assert re.match("bright costs [34]", section.answer[0])


def test_resumed_runs_are_not_compared(tmp_path):
    study = study_of(root=tmp_path)

    def spans(index, cell):
        start = 1000 * index
        twice = cell.factors["recipe"] == "bright" and cell.seed < 3
        return [(start, start + 100)] + [(start + 200, start + 300)] * twice

    journals(study, spans)
    section = of_study(study)
    assert section.answer[1].startswith("bright: no verdict under 3 seeds whose runs can be compared; so far ")
    assert any(note.startswith("6 runs went on after an interruption") for note in section.caution)
    assert any(note.startswith("Each run was trained without another ") for note in section.caution)


def test_runs_beside_others_are_not_compared_with_runs_alone(tmp_path):
    study = study_of(root=tmp_path)

    def spans(index, cell):
        alone = cell.factors["recipe"] == "contrast"
        start = 1000 * (index if alone else index // 2)
        return [(start + (10**6 if alone else 0), start + 100 + (10**6 if alone else 0))]

    journals(study, spans)
    _, bright, contrast, _ = of_study(study).answer
    assert bright.startswith("bright costs ")
    assert contrast.startswith("contrast: no verdict under 3 seeds whose runs can be compared")


def test_what_ran_beside_a_run_is_counted():
    spans = {"a": [(0.0, 10.0)], "b": [(5.0, 15.0)], "c": [(20.0, 30.0), (40.0, 50.0)], "d": [(25.0, 45.0)], "e": []}
    assert _others(spans) == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5})
    assert _others({}) == {}
    random = stream(0, "spans")
    many = {str(i): [(s, s + d)] for i, (s, d) in enumerate(random.uniform(1, 50, (30, 2)).tolist())}
    for name, value in _others(many).items():
        (start, end), shared = many[name][0], 0.0
        for other, ((s, e),) in many.items():
            shared += max(0.0, min(end, e) - max(start, s)) * (other != name)
        assert value == pytest.approx(shared / (end - start))


def test_recipes_in_blocks_get_a_caution(tmp_path):
    for name, key in (
        ("blocks", lambda cell: cell.factors["recipe"]),
        ("mixed", lambda cell: (cell.seed, cell.factors["recipe"])),
    ):
        root = tmp_path / name
        root.mkdir()
        study = study_of(root=root)
        at = {cell.spec.id: index for index, cell in enumerate(sorted(study.results.cells, key=key))}
        journals(study, lambda _, cell, at=at: [(at[cell.spec.id] * 100.0, at[cell.spec.id] * 100.0 + 50)])
        said = any(note.startswith("The recipes were trained one after another") for note in cost_pareto(study).caution)
        assert said == (name == "blocks")


def test_memory_without_spread_is_said_and_not_tested():
    mib = {"none": 1000, "bright": 1250, "contrast": 1000}
    section = section_of(memory=lambda cell: mib[cell.factors["recipe"]])
    assert (
        "Peak GPU memory, the same in every seed and so not tested: none 1,000 MiB, bright 1,250 MiB (+25.0 %)."
        in section.answer
    )
    (figure,) = section.figures
    assert len(figure.data.panels) == 2
    assert (
        costs_of(study_of()).recipes[0].time.p_adjusted
        == costs_of(study_of(memory=lambda cell: mib[cell.factors["recipe"]])).recipes[0].time.p_adjusted
    )


def test_the_same_memory_everywhere_is_one_sentence_and_no_panel():
    section = section_of(memory=lambda cell: 1000)
    assert "Peak GPU memory is the same with every recipe, in every seed: 1,000 MiB." in section.answer
    (figure,) = section.figures
    assert len(figure.data.panels) == 1


def test_memory_that_varies_is_tested_in_the_same_family():
    def memory(cell):
        return 1000 * (1.2 if cell.factors["recipe"] == "bright" else 1) * math.exp(noise(cell))

    section = section_of(memory=memory)
    assert any(
        re.match(r"bright needs (19|20)\.\d % more GPU memory at its peak \(.*Holm p ", said) for said in section.answer
    )
    assert "Of contrast it is not shown that they need more or less GPU memory." in section.answer
    alone, together = costs_of(study_of()).recipes[1].time, costs_of(study_of(memory=memory)).recipes[1].time
    assert together.p_adjusted > alone.p_adjusted
    assert together.high - together.low > alone.high - alone.low


def test_memory_that_some_runs_lack_is_not_said():
    section = section_of(memory=lambda cell: None if cell.seed == 0 else 1000)
    assert not any("memory" in said for said in section.answer)


def test_many_recipes_are_counted():
    recipes = {"none": ()} | {f"bright{i}": (Brightness(0.05 * i),) for i in range(1, 20)}
    section = section_of(recipes=recipes, seeds=4, optimizers={"adam": Adam()})
    assert "Of 19 other recipes it is not shown that training takes more or less time." in section.answer
    (figure,) = section.figures
    panel = figure.data.panels[0]
    assert any(not point.named for point in panel.points)
    assert len(panel.points) == 20
    assert 2 <= sum(point.named for point in panel.points) <= 9
    assert all(point.front or point.recipe == "none" for point in panel.points if point.named)


def test_the_table_holds_what_the_sentences_say():
    section = section_of()
    (table,) = section.tables
    none, bright, contrast = table.groups[0].rows
    assert (none["verdict"], bright["verdict"], contrast["verdict"]) == ("baseline", "better", "worse")
    assert none["time"] == NONE
    assert bright["time"].startswith("+")
    assert contrast["time"].startswith(MINUS)
    assert bright["time"].strip("+ %") in section.answer[0]
    assert bright["time"].strip("+ %") in section.answer[1]
    assert table.spare == ("seeds", "p_holm", "interval")
    assert "cost_pareto" in SECTIONS


def test_names_do_not_overlap_though_points_do():
    random = stream(0, "names")
    for draw in range(10):
        spots = random.uniform(100, 160 + 40 * draw, (8, 2))
        sizes = np.column_stack([random.uniform(20, 80, 8), np.full(8, 12.0)])
        boxes = placed(spots, sizes, np.empty((0, 4)), np.array([0.0, 0.0, 700.0, 400.0]))
        for one in range(8):
            for other in range(one):
                apart = (boxes[one, :2] >= boxes[other, 2:] - 1e-9) | (boxes[other, :2] >= boxes[one, 2:] - 1e-9)
                assert apart.any()


def test_a_name_moves_off_an_interval_that_would_cross_it():
    spot, size = np.array([[300.0, 200.0]]), np.array([[40.0, 12.0]])
    frame = np.array([0.0, 0.0, 700.0, 400.0])
    (free,) = placed(spot, size, np.empty((0, 4)), frame)
    middle = (free[0] + free[2]) / 2
    line = np.array([[middle - 1, 0.0, middle + 1, 400.0]])
    (moved,) = placed(spot, size, line, frame)
    assert moved[2] <= line[0, 0] or moved[0] >= line[0, 2]


def test_the_front_ends_at_the_dearest_recipe_not_at_the_end_of_an_interval():
    points = (
        CostPoint("none", 0, math.nan, math.nan, 80, 79, 81, True),
        CostPoint("bright", 4, 3, 90, 82, 81, 83, True),
        CostPoint("contrast", 9, 3, 85, 81, 80, 82, False),
    )
    look = styles(("none", "bright", "contrast"), "none")
    (axes,) = draw_costs(CostInfo((CostPanel("time (%)", points),), "accuracy (%)"), look)
    ((_, (right, _)),) = [segment for lines in axes.collections for segment in lines.get_segments()]
    assert right == 9


def test_the_figure_draws_points_steps_and_names():
    points = (
        CostPoint("none", 0, math.nan, math.nan, 80, 79, 81, True),
        CostPoint("bright", 4, 3, 5, 82, 81, 83, True),
        CostPoint("contrast", 5, 3, 7, 81, math.nan, math.nan, False, named=False),
    )
    look = styles(("none", "bright", "contrast"), "none")
    (axes,) = draw_costs(CostInfo((CostPanel("time (%)", points),), "accuracy (%)"), look)
    assert [text.get_text() for text in axes.texts] == ["none", "bright"]
    (step,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert step.get_xydata().tolist() == [[0, 80], [4, 82]]
    assert axes.get_xlabel() == "time (%)"
    assert axes.get_ylabel() == "accuracy (%)"


def test_names_are_marked_in_sentences_alone():
    recipes = {"none": (), "r1": (Brightness(0.3),), "r2": (Brightness(0.4),)}
    mib = {"none": 1000, "r1": 1250, "r2": 1000}

    def taken(cell: Cell) -> float:
        return seconds(cell) * (1.1 if cell.factors["recipe"] == "r1" else 1.0)

    for changes in ({}, {"seeds": 2}):
        study = study_of(taken, lambda cell: mib[cell.factors["recipe"]], recipes=recipes, **changes)
        assert wrongly_marked(cost_pareto(study), ("r1", "r2")) == []
