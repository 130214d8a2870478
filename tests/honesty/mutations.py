"""Mistakes put into the product's own functions, each with the claims that must notice it.

`python mutations.py` measures every claim with and without the mistake and prints the table. A claim that holds under
a mistake would be no proof of anything.
"""

import functools
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType

import pytest
import simulator
import worlds
from claims import CLAIMS, Claim
from product import PRODUCT
from sections import INTERACTIONS
from worlds import WORLDS

from ablation.analysis import crossed, dunnett, shrinkage, student, welch
from ablation.analysis import multiplicity as gatekeeping
from ablation.analysis.comparison import Welch
from ablation.analysis.interaction import _Grid
from ablation.analysis.multiplicity import holm
from ablation.evidence import effects, families

KNOWN = {claim.asked: claim for claim in (*CLAIMS, *PRODUCT, *INTERACTIONS, *WORLDS)}
QUICK = ("crossed, paired, seeds are nearly all", 3)
LONG = ("macro-F1", "A/A, through compare", "crossed", "effects depend on it", "A/A, 200", "A/A, training", ".995")
"""Claims that begin so take seconds to half a minute; all others together a few seconds."""


@dataclass(frozen=True, eq=False)
class Mutation:
    """edits: in the source of each function, what stands there once becomes something else.

    noticed: what is measured (`Claim.asked`), and with how many seeds.
    """

    name: str
    edits: dict[FunctionType, dict[str, str]]
    noticed: tuple[tuple[str, int], ...]


HALF = "np.sqrt(np.maximum(together, reach2(images + more, df)))"
WELCHS_DF = "satterthwaite(parts, [group.shape[-1] - 1 for group in arrays])"
STUDENTS_DF = "np.full(np.shape(parts[0]), sum(group.shape[-1] - 1.0 for group in arrays))"
ONE_VARIANCE = (
    "every = [runs for own in self.cells.values() for runs in own.values()]; "
    "pooled = np.mean([runs.var(ddof=1) for runs in every]); df = np.asarray(sum(map(len, every)) - len(every)); "
    "error = np.sqrt(pooled * sum(weight**2 / len(group) for group, weight in zip(groups, weights))); "
    "return student.contrast(groups, weights)._replace(error=error, df=df)"
)

MUTATIONS = (
    Mutation(
        "ddof = 0",
        {student.variance: {"ddof=1": "ddof=0"}},
        (
            ("over seeds, paired t", 3),
            ("over seeds, paired t", 10),
            ("over seeds, Welch, one sd × 3", 5),
            ("20 recipes × 1, the baseline's sd / 5", 5),
            ("4 recipes × 2, the baseline's sd / 10", 3),
            ("A/A, Dunnett", 3),
            ("over seeds, redrawn split", 3),
            ("crossed, paired, seeds are nearly all", 5),
        ),
    ),
    Mutation(
        "no Holm correction",
        {
            holm: {"* np.arange(p_values.shape[-1], 0, -1)": ""},
            gatekeeping.gatekept: {"p[left] / share[left], np.inf": "p[left], np.inf"},
        },
        (
            ("A/A, Welch and Holm", 3),
            ("A/A, Welch and Holm", 10),
            ("all off by the margin, “equivalent”", 3),
            ("40 idle recipes called different", 5),
            ("A/A, through compare", 5),
            ("effects depend on it, paired", 5),
        ),
    ),
    Mutation(
        "verdicts by the uncorrected p",
        {effects._decided: {"tested.p_adjusted < alpha": "tested.p < alpha"}},
        (("40 idle recipes called different", 5), ("A/A, through compare", 5)),
    ),
    Mutation(
        "Dunnett's t as Student's",
        {dunnett.critical.__wrapped__: {"if len(loading) == 1:": "if True:"}},
        (("A/A, Dunnett", 3), ("A/A, Dunnett", 10)),
    ),
    Mutation(
        "sign swapped, in the sum of means",
        {student.contrast: {"weight * group.mean(axis=-1)": "-weight * group.mean(axis=-1)"}},
        (("over seeds, Welch, one sd × 3", 5), ("all that is said is on the true side", 5)),
    ),
    Mutation(
        "sign swapped, in the declared test",
        {Welch.difference: {"(1, -1)": "(-1, 1)"}},
        (("all that is said is on the true side", 5),),
    ),
    Mutation(
        "arms swapped, on the way to the test",
        {families._tested: {"(pair.treatment, pair.reference)": "(pair.reference, pair.treatment)"}},
        (("all that is said is on the true side", 5),),
    ),
    Mutation(
        "sign swapped, for new photographs",
        {crossed.difference_parts: {"one[0] - other[0]": "other[0] - one[0]"}},
        (("all that is said is on the true side", 5), ("crossed, independent seeds", 3)),
    ),
    Mutation(
        "a gain called a loss",
        {effects._decided: {"gain > 0": "gain < 0"}},
        (("all that is said is on the true side", 5),),
    ),
    Mutation(
        "a lower loss called worse",
        {effects._decided: {"-effect.estimate if": "effect.estimate if"}},
        (("all that is said is on the true side", 5),),
    ),
    Mutation(
        "each image a replicate, in the variance of a mean",
        {student.contrast: {"/ group.shape[-1]": "/ (300 * group.shape[-1])"}},
        (
            ("A/A, Welch and Holm", 3),
            ("over seeds, Welch, one sd × 3", 10),
            ("40 idle recipes called different", 5),
            ("seed part as the declared test's", 5),
        ),
    ),
    Mutation(
        "each image a replicate, on the way to the test",
        {families._tested: {"list(one.scores.values())": "300 * list(one.scores.values())"}},
        (("40 idle recipes called different", 5), ("compare as the simulated arrays", 5), ("A/A, through compare", 5)),
    ),
    Mutation(
        "all answers as if independent",
        {crossed.half_width: {HALF: "np.sqrt(sum(reach2(*part) for part in parts.rest))"}},
        (
            ("crossed, independent seeds", 3),
            ("crossed, independent, seeds differ much", 10),
            ("crossed, paired, seeds differ much", 5),
            ("crossed, paired, seeds are nearly all", 3),
        ),
    ),
    Mutation(
        "seeds as images and images as seeds",
        {
            crossed._two_way: {
                "rows, columns = table.shape[-2:]": "table = table.swapaxes(-1, -2); rows, columns = table.shape[-2:]"
            }
        },
        (("seed part as the declared test's", 5),),
    ),
    Mutation(
        "new photographs are forgotten",
        {crossed.half_width: {HALF: "np.sqrt(sum(reach2(*part) for part in parts.seeds))"}},
        (
            ("crossed, paired seeds", 10),
            ("macro-F1, multi-bootstrap", 10),
            ("A/A, 200 test photographs", 10),
        ),
    ),
    Mutation(
        "new seeds are forgotten",
        {crossed.half_width: {HALF: "np.sqrt(reach2(images + more, df))"}},
        (("crossed, independent, seeds differ much", 5), ("macro-F1, seeds differ much", 5)),
    ),
    Mutation(
        "Welch with the degrees of freedom of equal variances",
        {student.contrast: {WELCHS_DF: STUDENTS_DF}},
        (("over seeds, Welch, one sd × 3", 3), ("over seeds, Welch, one sd × 3", 5)),
    ),
    Mutation(
        "Welch's p as it comes",
        {student._tail: {"if estimate.sizes is None:": "if True:"}},
        (
            ("4 recipes × 2, the baseline's sd / 5", 5),
            ("4 recipes × 2, the baseline's sd / 10", 3),
            ("8 recipes × 3, the baseline's sd / 5", 3),
            ("20 recipes × 1, the baseline's sd / 10", 5),
        ),
    ),
    Mutation(
        "Welch's p calibrated to equal variances",
        {welch._curve.__wrapped__: {"_BEYOND - 2 * log_p[:, None] / (n + m - 2)": "0 * (_BEYOND + log_p[:, None])"}},
        (("8 recipes × 3, the baseline's sd / 5", 5), ("20 recipes × 1, the baseline's sd / 10", 3)),
    ),
    Mutation(
        "one variance of all cells, where effects depend on the optimizer",
        {_Grid.estimate: {"return student.contrast(groups, weights)": ONE_VARIANCE}},
        (("effects depend on it, one cell's sd × 5", 3), ("effects depend on it, one cell's sd × 5", 5)),
    ),
    Mutation(
        "one-sided p",
        {student.two_sided: {"2 * _tail": "_tail"}},
        (("A/A, Welch and Holm", 10), ("A/A, one recipe's sd × 3", 5), ("power at 1.5 sd, Welch", 5)),
    ),
    Mutation(
        "equivalent by the smaller of both p",
        {student.equivalent: {"np.maximum": "np.minimum"}},
        (("all off by the margin, “equivalent”", 3),),
    ),
    Mutation(
        "overlap of training parts is forgotten",
        {crossed.difference_parts: {"seeds * (1 + treatment.shape[-2] * overlap)": "seeds"}},
        (("A/A, training photographs matter 3 x the run", 10),),
    ),
    Mutation(
        "few photographs are taken for many",
        {crossed.few_images: {"2 / (images + 2) ** 2": "0.0"}},
        ((".995 against .98, 50 photographs", 10),),
    ),
    Mutation(
        "what is rejected hands all of its share to either side",
        {gatekeeping.behind: {"(0.5 if others else 1.0)": "1.0"}},
        (("all that is shown, pooled first", 5),),
    ),
    Mutation(
        "the best is not shrunk",
        {shrinkage.shrunk: {"true / (true + error)": "1.0"}},
        (("best of 30, shrunk / truth", 5),),
    ),
    Mutation(
        "overlap of redrawn splits is forgotten",
        {student.paired_contrast: {"(1 / seeds + overlap)": "(1 / seeds)"}},
        (("over seeds, redrawn split", 3), ("over seeds, redrawn split", 10)),
    ),
)

CASES = [(mutation, asked, seeds) for mutation in MUTATIONS for asked, seeds in mutation.noticed]


def is_slow(asked: str, seeds: int) -> bool:
    return asked.startswith(LONG) and (asked, seeds) != QUICK


@functools.cache
def as_it_is(asked: str, seeds: int) -> float:
    """The figure of the product without a mistake."""
    forget()
    return KNOWN[asked].measure(seeds)


@functools.cache
def under(mutation: Mutation, asked: str, seeds: int) -> float:
    """The same figure with the mistake in."""
    with mutated(mutation):
        return KNOWN[asked].measure(seeds)


def kept(claim: Claim, seeds: int, figure: float) -> bool:
    low, high = claim.bounds[seeds]
    return low <= figure <= high


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """The product with these edits, wherever a function has been imported to: its code is replaced, not its name."""
    with pytest.MonkeyPatch.context() as patch:
        for function, changes in mutation.edits.items():
            patch.setattr(function, "__code__", _edited(function, changes))
        forget()
        try:
            yield
        finally:
            forget()


def _edited(function: FunctionType, changes: dict[str, str]) -> CodeType:
    """The function's code, compiled anew from its edited source."""
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in changes.items():
        assert source.count(old) == 1, f"{function.__qualname__} no longer has one {old!r}: mend the mutation"
        source = source.replace(old, new)
    names = dict(function.__globals__)
    exec(compile(f"from __future__ import annotations\n{source}", "<mutation>", "exec"), names)
    made = names[function.__name__]
    return getattr(made, "__wrapped__", made).__code__


def forget() -> None:
    """Empty what the product and the simulator keep for later: computed under a mistake, or not."""
    for name, module in list(sys.modules.items()):
        if module in (simulator, worlds) or name.startswith("ablation."):
            for kept_for_later in vars(module).values():
                if hasattr(kept_for_later, "cache_clear"):
                    kept_for_later.cache_clear()


def row(mutation: Mutation, asked: str, seeds: int) -> str:
    """Of the table in docs/honesty.md."""
    figures = [f"{number:.4f}" for number in (as_it_is(asked, seeds), under(mutation, asked, seeds))]
    told = [figure.removeprefix("0") if figure.startswith("0.") else figure for figure in figures]
    return f"| {' | '.join([mutation.name, f'{asked}; {seeds}', KNOWN[asked].bound, *told])} |"


def table() -> list[str]:
    head = ["| mistake | noticed by; seeds | bound | as it is | with it |", "| --- | --- | --- | ---: | ---: |"]
    return head + [row(*case) for case in CASES]


if __name__ == "__main__":
    print("\n".join(table()))
