"""How often the section on costs claims that a recipe takes more or less, where none does and where one does."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from made_up import alike, question, results_of

from ablation.analysis.comparison import Paired, Test, Welch
from ablation.core.seeds import stream
from ablation.evidence.study import Study
from ablation.experiment.record import RunRecord
from ablation.report.sections.cost_pareto.section import cost_pareto

GRIDS = 300
MOST = 0.05 + 2 * math.sqrt(0.05 * 0.95 / GRIDS)
"""alpha and 2 standard errors of a share of so many grids."""


def answers(test: Test, more: float, memory: bool) -> Iterator[tuple[str, ...]]:
    """Of made-up experiments whose seconds vary by 2 %. more: what bright takes, less 1."""
    results = results_of(replace(question(), test=test), alike)
    effects = Study(results).effects
    for grid in range(GRIDS):
        records = {}
        for cell in results.cells:
            random = stream(cell.seed, "honest costs", grid, *cell.factors.values())
            times = 1 + more * (cell.factors["recipe"] == "bright")
            cost = {"seconds": 60 * times * math.exp(random.normal(0, 0.02))}
            if memory:
                cost["gpu_memory_mib"] = 1000 * math.exp(random.normal(0, 0.02))
            where = {"host": "one", "device": "cpu"}
            records[cell.spec.id] = RunRecord(cell.spec.id, "finished", (), {}, {}, cost, where)
        section = cost_pareto(Study(replace(results, records=records), effects))
        assert section is not None
        yield section.answer


def claims(said: str) -> bool:
    words = (
        " more time than ",
        " less time than ",
        " more training time than ",
        " less training time than ",
        " needs ",
    )
    return any(each in said for each in words)


@pytest.mark.slow
@pytest.mark.parametrize(("test", "memory"), [(Paired(), False), (Paired(), True), (Welch(), False)], ids=str)
def test_equal_costs_are_seldom_said_to_differ(test, memory):
    found = [any(map(claims, answer)) for answer in answers(test, 0.0, memory)]
    print(f"{type(test).__name__}, memory {memory}: {sum(found) / GRIDS:.3f} of {MOST:.3f}")
    assert sum(found) / GRIDS <= MOST


@pytest.mark.slow
def test_five_percent_more_time_are_found():
    found = [claims(answer[0]) and "more training time" in answer[0] for answer in answers(Paired(), 0.05, False)]
    print(f"found: {sum(found) / GRIDS:.3f}")
    assert sum(found) / GRIDS >= 0.8
