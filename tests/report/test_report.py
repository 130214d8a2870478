"""The report as a file: what it tells, that it fetches nothing, escapes everything, and repeats byte for byte."""

import base64
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ablation import Adam, Brightness, RandomResizedCrop
from ablation.evidence.effects import compare
from ablation.experiment.record import write_record
from ablation.report import input_digest, is_current, write_report
from ablation.report.page import Report, tell
from ablation.report.render.html import render
from ablation.report.sections.learning_curves.figure import CurvesInfo

HOSTILE = '<b>&"crop"'


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


@pytest.fixture(scope="module")
def report(complete) -> Report:
    return tell(complete.experiment, complete, compare(complete))


@pytest.fixture(scope="module")
def html(report) -> str:
    return render(report, "0" * 64)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_page_is_well_formed_and_fetches_nothing(page):
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:")


def test_style_and_pictures_fetch_nothing(html):
    drawings = [base64.b64decode(found).decode() for found in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html)]
    assert len(drawings) == 6, "forest, contributions, curves, heat, interaction, maps"
    for text in (html, *drawings):
        assert not re.search(r"@import|url\((?!#)|(?:src|href)=\"(?:https?:)?//", text)


def test_page_tells_question_answer_and_every_part(page):
    assert "Does crop, brightness, contrast or all help" in page.text
    assert "all beats none by" in page.text
    headings = [
        "Results",
        "Differences to the baseline",
        "What does each operation contribute?",
        "Learning curves",
        "Recipes by condition",
        "Does the winner survive a change of optimizer?",
        "Are the classes better separated?",
        "What the network saw",
        "How to reproduce it",
    ]
    places = [page.text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "ablation run fake" in page.text
    assert "Read with care" not in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 6 + 5
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")


def test_every_number_can_be_traced_to_a_run(complete, page):
    for run_id, accuracy in zip(complete.table["id"], complete.table["accuracy"], strict=True):
        assert run_id in page.text
        assert f"{100 * accuracy:.1f}" in page.text


def test_model_is_made_of_the_records(complete, report):
    effects = compare(complete)
    panel = report.curves.info.panels[0]
    assert isinstance(report.curves.info, CurvesInfo)
    arm = {"recipe": "crop", "optimizer": "adam"}
    runs = [complete.run(cell.spec.id).record() for cell in complete.cells if dict(cell.factors) == arm]
    last = [100 * run.history[-1]["val_accuracy"] for run in runs]
    curve = next(curve for curve in panel.accuracy if curve.recipe == "crop")
    assert curve.mean[-1] == pytest.approx(np.mean(last))
    assert curve.sd[-1] == pytest.approx(np.std(last, ddof=1))
    crop = next(effect for effect in effects if effect.recipe == "crop" and effect.pooled)
    pooled = report.forest.info.groups[-1]
    assert pooled.pooled
    assert next(row.estimate for row in pooled.rows if row.recipe == "crop") == pytest.approx(100 * crop.estimate)
    assert [group.title for group in report.groups] == ["adam", "sgd", "pooled over 2 conditions"]
    assert report.verdicts.columns == ("adam", "sgd", "pooled")
    assert report.heat.info.cells[1][0].mean == pytest.approx(100 * np.mean([run.metrics["accuracy"] for run in runs]))


def test_maps_show_the_same_images_and_previews_the_same_photograph(complete, report, page):
    assert [shown.recipe for shown in report.maps.info.maps] == list(complete.experiment.recipes)
    assert {len(shown.points) for shown in report.maps.info.maps} == {len(report.maps.info.labels)}
    assert "adam, seed 0" in report.maps.caption
    assert "Caution" in report.maps.caption
    assert all(
        "trustworthiness" in shown.notes[0] and "silhouette" in shown.notes[1] for shown in report.maps.info.maps
    )
    assert [row.operations for row in report.preview.rows][:2] == [
        "no augmentation",
        "RandomResizedCrop(scale=(0.35, 1.0))",
    ]
    assert len({row.original.tobytes() for row in report.preview.rows}) == 1
    run_id = report.choice.runs["crop"]
    crop = report.preview.rows[1]
    assert np.array_equal(crop.draws, complete.arrays(run_id).draws)
    assert list(crop.captions) == complete.run(run_id).record().evidence["captions"]
    assert "brightness × 1.31" in page.text
    assert "adam, seed 0" in report.preview.note


def test_same_inputs_give_the_same_bytes(build, fake, tmp_path):
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, seeds=3)
    results = fake(experiment, tmp_path, images=40)
    first, second = (write_report(experiment, results, compare(results), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_names_are_escaped_everywhere(build, fake, tmp_path):
    experiment = build(
        recipes={"none": (), HOSTILE: (Brightness(0.4),)},
        optimizers={"<script>alert(1)</script>": Adam(), "sgd": Adam(lr=0.01)},
        seeds=3,
        question="Is 1 < 2 & <i>so</i>?",
    )
    results = fake(experiment, tmp_path, images=40, gains={HOSTILE: 0.05})
    html = write_report(experiment, results, compare(results), tmp_path / "x.html").read_text()
    page = Page(html)
    assert not {"b", "i", "script"} & {tag for tag, attributes in page.tags if not attributes}
    assert "<b>&" not in html
    assert "<i>so" not in html
    assert HOSTILE in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "Is 1 < 2 & <i>so</i>?" in page.text


def test_missing_failed_and_diverged_runs_are_in_the_alarms_and_the_table(build, fake, tmp_path):
    fates = {0: "failed", 1: "diverged", 2: "planned"}
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, optimizers={"adam": Adam()}, seeds=6)
    results = fake(
        experiment,
        tmp_path,
        images=40,
        fate=lambda c: fates.get(c.seed, "finished") if c.factors["recipe"] == "crop" else "finished",
    )
    page = Page(write_report(experiment, results, compare(results), tmp_path / "x.html").read_text())
    box = page.text[page.text.index("Read with care") : page.text.index("Results")]
    assert all(f"1 of 12 runs {status}" in box for status in ("failed", "diverged", "not started"))
    assert "OutOfMemoryError: 3 GiB asked, 1 GiB free" in page.text
    assert "3 of 6" in page.text
    assert "Recipes by condition" not in page.text, "one condition makes no heat map"
    assert "adam, seed 3" in page.text, "the first seed that finished for all recipes"


def test_a_report_of_nothing(build, fake, tmp_path):
    experiment = build()
    results = fake(experiment, tmp_path, fate=lambda _: "planned")
    page = Page(write_report(experiment, results, compare(results), tmp_path / "x.html").read_text())
    assert "No answer yet: no recipe has a finished run" in page.text
    assert "Learning curves" not in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 0


def test_report_is_made_again_only_when_something_changed(build, fake, tmp_path):
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, optimizers={"adam": Adam()}, seeds=3)
    results = fake(experiment, tmp_path, images=16)
    effects, out = compare(results), tmp_path / "x.html"
    digest = input_digest(experiment, results, effects)
    assert not is_current(out, digest)
    write_report(experiment, results, effects, out)
    made = out.stat().st_mtime_ns
    assert is_current(out, digest)
    write_report(experiment, results, effects, out)
    assert out.stat().st_mtime_ns == made
    assert not is_current(out, input_digest(experiment, results, effects, "ablation run another"))
    assert not is_current(out, input_digest(experiment, results, [replace(effects[1], estimate=0.5)]))

    run = results.run(results.table["id"][0])
    record = run.record()
    write_record(
        run.folder,
        replace(record, environment={**record.environment, "platform": "elsewhere"}),
        results.arrays(record.id),
    )
    assert not is_current(out, input_digest(experiment, results, effects))
    assert "elsewhere" in write_report(experiment, results, effects, out).read_text()


def test_report_knows_neither_torch_nor_mlflow_and_wording_no_drawing():
    code = "import sys, ablation.report.text, ablation.report.sections.effects.answer; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert not {"torch", "mlflow", "matplotlib", "jinja2"} & set(modules.stdout.split())
    code = "import sys, ablation.report.render.html; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert "jinja2" in modules.stdout.split()
    assert not {"torch", "mlflow", "matplotlib.pyplot"} & set(modules.stdout.split())
