"""What a tracking server says of an experiment and of its runs: the answer in Markdown, and the verdict on each run."""

from __future__ import annotations

from ablation.core.safe import markdown_text
from ablation.core.text import named
from ablation.evidence.effects import overall
from ablation.evidence.study import Study
from ablation.report.render.tables import markdown
from ablation.report.sections.effects.headline import headline_of
from ablation.report.sections.effects.text import answer
from ablation.report.text import verdict_text

FILES = "The whole report is `report.html`, its tables and figures are beside it."


def description(study: Study, most: int) -> str:
    """The headline, the answer and the table of effects in Markdown, of at most `most` characters.

    Where they are more, the table has the effects that answer and no caption, and then there is none.
    """
    experiment, effects = study.experiment, study.effects
    headline = headline_of(experiment, effects)
    found = [f"**{markdown_text(headline.lead)}**"]
    if headline.number:
        number = f"{named(headline.recipe)}: {headline.number} {headline.unit} ({headline.interval})."
        found.append(markdown_text(number))
    sentences = " ".join(map(markdown_text, answer(experiment, effects)))
    rows = markdown(experiment, overall(effects)).partition("\n\n")[0] if effects else ""
    for table in (markdown(experiment, effects, study.results.left_out), rows, ""):
        text = "\n\n".join(filter(None, [" ".join(found), sentences, FILES, table.strip()]))
        if len(text) <= most:
            return text
    return text[:most]


def verdicts(study: Study) -> dict[str, str]:
    """The id of each run that has a record -> the verdict on its recipe under its condition; several recipes may share
    a run."""
    arms = {
        (effect.recipe, *effect.condition.items()): verdict_text(effect)
        for effect in study.effects
        if not effect.pooled
    }
    held: dict[str, dict[str, None]] = {run_id: {} for run_id in study.records}
    for cell in study.results.cells:
        condition = tuple((factor, level) for factor, level in cell.factors.items() if factor != "recipe")
        verdict = arms.get((cell.factors["recipe"], *condition))
        if cell.spec.id in held and verdict:
            held[cell.spec.id][verdict] = None
    return {run_id: ", ".join(words) or "no verdict" for run_id, words in held.items()}
