"""The words of statistics and machine learning that a report uses, each explained once. Knows no form of a report.

HTML links the first occurrence of a term in each section to its explanation; the PDF lists the same. Only terms that
occur are listed. docs/glossary.md has all of them (`python -m ablation.report.glossary` prints it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.core.text import name_spans

if TYPE_CHECKING:
    from ablation.report.contents import Report
    from ablation.report.section import Figure, Section, Strips, Table


WHERE = "what the words mean: docs/glossary.md, and the end of each report"
"""What the terminal says below words of statistics."""


@dataclass(frozen=True)
class Term:
    """slug: in an address. words: a regular expression of what means it in a text, a space standing for any space."""

    slug: str
    name: str
    words: str
    definition: str


TERMS = (
    Term(
        "adjusted-p",
        "Adjusted p",
        r"adjusted p|Holm p|Dunnett p",
        "A p-value made larger to allow for the number of comparisons; below the declared level (as a rule 0.05) it "
        "counts as shown. The correction is in its name: Holm (1979), Dunnett (1955), or both with gatekeeping.",
    ),
    Term(
        "anova",
        "Analysis of variance",
        r"analysis of variance|partial η²",
        "A split of how much scores vary into the parts that go with each factor and with seeds. Partial η² is the "
        "part of a factor beside what is left unexplained; it describes and judges nothing (Fisher 1925; Cohen "
        "1973).",
    ),
    Term(
        "baseline",
        "Baseline",
        r"baselines?",
        "The recipe with which every other is compared; as a rule no augmentation at all.",
    ),
    Term(
        "bonferroni",
        "Bonferroni's correction",
        r"Bonferroni(?:['\u2019]s correction)?",
        "Each of m comparisons gets an m-th of the error that all may have together, so that all intervals hold at "
        "once (Dunn 1961).",
    ),
    Term(
        "brier",
        "Brier score",
        r"Brier scores?",
        "The mean squared distance of the predicted probabilities from what was true; lower is better (Brier 1950).",
    ),
    Term(
        "calibration",
        "Calibration",
        r"calibration(?: errors?)?|calibrated|expected calibration error|ECE",
        "Whether classes are as frequent as the predicted probabilities say. The expected calibration error is the "
        "mean distance between the two over bins of confidence (Guo et al. 2017).",
    ),
    Term(
        "condition",
        "Condition",
        r"conditions?",
        "A combination of whatever the experiment varies beside recipe and seed, such as the optimizer.",
    ),
    Term(
        "davies-bouldin",
        "Davies-Bouldin index",
        r"Davies[-\u2013]Bouldin(?: index)?",
        "The spread within classes beside the distance between them, for each class and the one nearest to it; "
        "lower is better separated (Davies and Bouldin 1979).",
    ),
    Term(
        "decision-curve",
        "Decision curve",
        r"decision curves?",
        "Net benefit at every probability from which one would act (Vickers and Elkin 2006).",
    ),
    Term(
        "equivalence",
        "Equivalence",
        r"equivalence|equivalent",
        "The difference is shown to be smaller than the margin in both directions, by two one-sided tests "
        "(Schuirmann 1987). Not shown to differ is not the same: that is undecided.",
    ),
    Term(
        "f1",
        "Macro F1",
        r"macro[- ]F1",
        "The harmonic mean of precision and recall of each class, averaged over classes, so that rare ones count as "
        "much as frequent ones (Sokolova and Lapalme 2009).",
    ),
    Term(
        "family-wise",
        "Family-wise error",
        r"family-wise error|family of comparisons",
        "The chance of at least one false claim among all comparisons that belong together (Hochberg and Tamhane "
        "1987).",
    ),
    Term(
        "gatekeeping",
        "Gatekeeping",
        r"gatekeeping",
        "Comparisons stand in an order: those behind are tested only with the error that those before them, once "
        "they have shown a difference, pass on (Bretz et al. 2009).",
    ),
    Term(
        "gap",
        "Generalization gap",
        r"(?:generali[sz]ation )gaps?",
        "The score on the photographs that a network was trained on, less that on photographs that it was not; a "
        "large gap is overfitting.",
    ),
    Term(
        "grad-cam",
        "Grad-CAM",
        r"Grad-CAM",
        "A map of which parts of a photograph a network's output for a class rests on, from the gradients at its "
        "last convolution (Selvaraju et al. 2017).",
    ),
    Term(
        "hedges-g",
        "Hedges' g",
        r"Hedges['\u2019] g",
        "A difference in units of the standard deviation over seeds, corrected for few seeds (Hedges 1981).",
    ),
    Term(
        "holm",
        "Holm's correction",
        r"Holm['\u2019]s correction|Holm(?=\W*(?:1979|correct))",
        "Of m p-values the smallest is multiplied by m, the next by m \N{MINUS SIGN} 1, and so on; the chance of "
        "any false claim stays below the declared level (Holm 1979).",
    ),
    Term(
        "interval",
        "Interval",
        r"(?:\d+ % )?(?:confidence )?intervals?",
        "A range that is computed so that, if the whole experiment were repeated, it would hold the true value in "
        "95 % (or the stated share) of the repetitions (Neyman 1937).",
    ),
    Term(
        "kendall-w",
        "Kendall's W",
        r"Kendall['\u2019]s W",
        "How far several rankings agree: 1 where all are the same, 0 where there is no agreement (Kendall and "
        "Babington Smith 1939).",
    ),
    Term(
        "knn",
        "k-NN accuracy",
        r"(?:\d+|k)-NN(?: accuracy)?|nearest neighbou?rs",
        "The share of photographs of the class that most of the k photographs nearest to them in feature space have.",
    ),
    Term(
        "log-loss",
        "Log loss",
        r"log loss",
        "The mean of the negative logarithm of the probability that was given to the true class, in nats; lower is "
        "better.",
    ),
    Term(
        "margin",
        "Margin",
        r"margins?(?: of equivalence)?",
        "The largest difference that would make no difference in practice. It is declared with the experiment, "
        "before its runs.",
    ),
    Term(
        "net-benefit",
        "Net benefit",
        r"net benefits?",
        "True positives less false positives, the latter weighted by the odds of the probability from which one "
        "acts, for each photograph (Vickers and Elkin 2006).",
    ),
    Term(
        "p-value",
        "p",
        r"p-values?|p(?= [=<>])",
        "How likely a difference at least as large as the observed one would be if there were none. It is no "
        "measure of how large a difference is (Wasserstein and Lazar 2016).",
    ),
    Term(
        "pareto",
        "Pareto front",
        r"Pareto(?: front(?:ier)?)?",
        "The recipes of which none other is better without costing more.",
    ),
    Term(
        "pooled",
        "Pooled",
        r"pooled",
        "The mean over the conditions, seed by seed.",
    ),
    Term(
        "power",
        "Power",
        r"power",
        "The chance that a difference of a given size is shown, if it really exists (Cohen 1988).",
    ),
    Term(
        "random-effects",
        "Random effects",
        r"random effects",
        "Seeds and test photographs are both counted as drawn, so that the claim is about new ones of either "
        "(Searle et al. 1992).",
    ),
    Term(
        "recipe",
        "Recipe",
        r"recipes?",
        "The augmentation operations that change the training photographs, in order; test photographs are not changed.",
    ),
    Term(
        "seed",
        "Seed",
        r"seeds?",
        "The number from which all random draws of a run come: initial weights, the order of photographs, the draws "
        "of augmentation, and as a rule the split of the data. Recipes are compared seed by seed.",
    ),
    Term(
        "silhouette",
        "Silhouette",
        r"silhouettes?",
        "How much closer a photograph lies to its own class than to the next one in feature space: from "
        "\N{MINUS SIGN}1 to 1, higher is better separated (Rousseeuw 1987).",
    ),
    Term(
        "simultaneous",
        "Simultaneous intervals",
        r"simultaneous",
        "Intervals that hold all together in the stated share of repetitions; each alone is wider than it would be "
        "by itself.",
    ),
    Term(
        "t-sne",
        "t-SNE",
        r"t-SNE",
        "A map in two dimensions on which near neighbours stay near. Sizes of groups and distances between them on "
        "it mean little (van der Maaten and Hinton 2008).",
    ),
    Term(
        "training-draw",
        "Training draw",
        r"training draws?",
        "Which photographs are trained on. It is redrawn for each seed as a rule, as it changes scores more than "
        "other sources of chance (Bouthillier et al. 2021).",
    ),
    Term(
        "trustworthiness",
        "Trustworthiness",
        r"trustworthiness",
        "The share, from 0 to 1, to which neighbours on a map are neighbours in feature space too (Venna and Kaski "
        "2001).",
    ),
    Term(
        "undecided",
        "Undecided",
        r"undecided",
        "Neither a difference nor equivalence is shown: the runs are too few or too different to tell.",
    ),
)

_PATTERN = re.compile(
    "|".join(
        rf"(?P<t{index}>{term.words})".replace(" ", r"\s")
        for index, term in sorted(enumerate(TERMS), key=lambda item: -len(item[1].words.split("|")[0]))
    ).join((r"(?<![\w-])(?:", r")(?![\w-])")),
    re.IGNORECASE,
)


def term_spans(text: str) -> Iterator[tuple[str, Term | None]]:
    """The parts of a text without names in order, each with the term that it means, if any.

    >>> [(part, term.name) for part, term in term_spans("Two seeds") if term]
    [('seeds', 'Seed')]
    """
    end = 0
    for found in _PATTERN.finditer(text):
        yield text[end : found.start()], None
        assert found.lastgroup is not None
        yield found[0], TERMS[int(found.lastgroup[1:])]
        end = found.end()
    yield text[end:], None


def terms_of(report: Report) -> tuple[Term, ...]:
    """The terms that the texts of a report use, in alphabetical order; what is marked as a name is none."""
    parts = (part for text in _texts(report) for part, is_name in name_spans(text) if not is_name)
    used = {term for part in parts for _, term in term_spans(part)}
    return tuple(sorted((term for term in TERMS if term in used), key=lambda term: term.name.lower()))


def _texts(report: Report) -> Iterator[str]:
    yield from (*report.headline.sure, *report.answer, *report.warnings)
    for section in report.sections:
        yield from _section_texts(section)


def _section_texts(section: Section) -> Iterator[str]:
    shown: Iterable[Figure | Strips | Table] = (*section.figures, *section.tables)
    yield from (section.question, *section.answer, *section.caution, *(one.caption for one in shown))
    for table in section.tables:
        yield from table.headers.values()


def markdown() -> str:
    """The whole glossary as docs/glossary.md has it, a heading a term."""
    about = (
        "The words of statistics and machine learning that `ablation compare NAME --all` and a report use. A report "
        "ends with those that occur in it."
    )
    terms = sorted(TERMS, key=lambda term: term.name.lower())
    parts = ["# Glossary", about, *(f"## {term.name}\n\n{term.definition}" for term in terms)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
