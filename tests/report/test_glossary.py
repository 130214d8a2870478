"""The glossary: one text for the report and for docs/."""

from pathlib import Path

from ablation.report.glossary import TERMS, markdown

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"


def test_docs_has_the_words_of_the_report():
    """`python -m ablation.report.glossary > docs/glossary.md` makes it anew."""
    assert PAGE.read_text("utf-8") == markdown()


def test_every_term_has_its_heading_and_they_are_in_alphabetical_order():
    headings = [line.removeprefix("## ") for line in markdown().splitlines() if line.startswith("## ")]
    assert sorted(headings) == sorted(term.name for term in TERMS)
    assert headings == sorted(headings, key=str.lower)
