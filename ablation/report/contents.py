"""The contents of the report: every section, in the order in which it is shown. A new section is a new line here.

`ablation compare NAME --section SLUG` shows one of them, the HTML page shows all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ablation.evidence.study import Study
from ablation.report.section import Section
from ablation.report.sections.attribution.section import attribution
from ablation.report.sections.dose_response.section import dose_response
from ablation.report.sections.effects.section import effects
from ablation.report.sections.embedding.section import embedding
from ablation.report.sections.interaction.section import interaction
from ablation.report.sections.learning_curves.section import learning_curves
from ablation.report.sections.pictures.section import pictures
from ablation.report.sections.reproduce.section import reproduce
from ablation.report.sections.train_size.section import train_size

ANSWERS: dict[str, Callable[[Study], Section | None]] = {
    "effects": effects,
    "attribution": attribution,
    "dose_response": dose_response,
    "train_size": train_size,
    "interaction": interaction,
}
"""slug -> what computes a section that answers in sentences, which `ablation compare` and the end of `run` show."""

SECTIONS: dict[str, Callable[[Study], Section | None]] = {
    **ANSWERS,
    "learning_curves": learning_curves,
    "embedding": embedding,
    "pictures": pictures,
    "reproduce": reproduce,
}
"""slug -> what computes a section. It returns None where the experiment does not ask its question."""


def sections(study: Study) -> Iterator[Section]:
    """Every section that there is, in order."""
    for compute in SECTIONS.values():
        section = compute(study)
        if section is not None:
            yield section
