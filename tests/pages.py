"""A page of HTML taken apart, for the tests of every page."""

from collections.abc import Collection
from html.parser import HTMLParser
from pathlib import Path

from ablation.evidence.study import Study
from ablation.report.contents import report_of
from ablation.report.render.drawings import drawings_of
from ablation.report.render.html import html
from ablation.report.render.write import write_report


def html_of(study: Study, only: Collection[str] = ()) -> str:
    """The page of a report with these sections, by default all."""
    report = report_of(study, only=only)
    return html(report, drawings_of(report, ()), "0" * 64)


def written_page(study: Study, folder: Path) -> str:
    """The page of a report that was written into this folder."""
    return (write_report(study, out=folder, pdf=False) / "report.html").read_text("utf-8")


class Page(HTMLParser):
    """The tags of a page with their attributes, its text, and whether every tag is closed in order."""

    VOID = ("meta", "img", "br", "hr")

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())
