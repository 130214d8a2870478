"""The report as a file: what it tells, that it fetches nothing, escapes everything, and repeats byte for byte."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages import Page, html_of, written_page

from ablation import Adam, Brightness, Fixed, RandomResizedCrop, Welch
from ablation.core.text import named, plain
from ablation.evidence.study import Study, compare
from ablation.experiment.record import write_record
from ablation.report import write_report
from ablation.report.contents import report_of
from ablation.report.render.digest import input_digest
from ablation.report.render.evidence import report_is_current
from ablation.report.section import Figure, Section

CROP = RandomResizedCrop(scale=(0.35, 1.0))
HOSTILE = '<b>&"crop"'


@pytest.fixture(scope="module")
def study(complete) -> Study:
    return Study(complete)


@pytest.fixture(scope="module")
def sections(study) -> dict[str, Section]:
    return {section.slug: section for section in report_of(study).sections}


@pytest.fixture(scope="module")
def html(study) -> str:
    with pytest.MonkeyPatch.context() as patch:  # maps of fewer images take a tenth of the time
        patch.setattr("ablation.report.sections.embedding.compute.MOST_IMAGES", 60)
        return html_of(study)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_page_is_well_formed_and_fetches_nothing(page):
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag != "script" or not attributes, "its text stands in the page"
        assert tag not in ("link", "iframe", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#", "tables/"))


def figures_of(sections: dict[str, Section]) -> list[Figure]:
    return [figure for section in sections.values() for figure in section.figures if isinstance(figure, Figure)]


def test_style_and_pictures_fetch_nothing(html, page, sections):
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == len(figures_of(sections)) >= 6, "forest, heat, contributions, interaction, curves, maps"
    assert all(attributes["aria-label"] for attributes in drawings)
    assert not re.search(r"@import|url\((?!#|data:)|(?:src|href)=\"(?:https?:)?//", html)


def test_no_two_parts_of_the_page_have_one_id_and_every_reference_holds(html, page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(ids)


def test_page_tells_question_answer_and_every_part(page, sections):
    assert "Does “crop”, “brightness”, “contrast” or “all” help" in page.text
    assert "all and crop are better than none , pooled over adam and sgd ." in page.text
    assert {"effects", "attribution", "interaction", "embedding", "learning_curves", "pictures", "reproduce"} <= {
        *sections
    }
    headings = [attributes["id"] for tag, attributes in page.tags if tag == "h2" and "id" in attributes]
    assert headings == [*(f"{slug}-title" for slug in sections), "glossary-title"]
    assert "ablation run fake" in page.text
    assert "brightness × 1.31" in page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Read with care" not in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 5
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")


def test_every_number_can_be_traced_to_a_run(complete, sections, page):
    tables = sections["reproduce"].tables
    cells = {cell for table in tables for group in table.groups for row in group.rows for cell in row.values()}
    for run_id, accuracy in zip(complete.frame["id"], complete.frame["accuracy"], strict=True):
        assert run_id in cells
        assert f"{100 * accuracy:.1f}" in page.text
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    number = next(number for number, table in enumerate(tables, 1) if table.head()[1])
    assert f"tables/reproduce-{number}.csv" in links, "where the rows are that the page leaves out"


def test_figures_are_made_of_the_records(complete, study, sections):
    forest, heat = (figure.data for figure in sections["effects"].figures)
    (curves,) = (figure.data for figure in sections["learning_curves"].figures)
    group = {"recipe": "crop", "optimizer": "adam"}
    runs = [complete.run(cell.spec.id).record() for cell in complete.cells if dict(cell.factors) == group]
    last = [100 * run.history[-1]["val_accuracy"] for run in runs]
    means = curves.means
    curve = means[(means["condition"] == "adam") & (means["recipe"] == "crop")].iloc[-1]
    assert curve["val_accuracy"] == pytest.approx(np.mean(last))
    assert curve["val_accuracy_sd"] == pytest.approx(np.std(last, ddof=1))
    crop = next(effect for effect in study.effects if effect.recipe == "crop" and effect.pooled)
    assert [group.pooled for group in forest.groups] == [False, False, True]
    assert next(row.estimate for row in forest.groups[-1].rows if row.name == "crop") == 100 * crop.estimate
    assert heat.cells[1][0].mean == pytest.approx(100 * np.mean([run.metrics["accuracy"] for run in runs]))


def test_the_table_has_a_group_a_condition_and_the_grid_a_column(study, sections):
    assert [group.title for group in sections["effects"].tables[0].groups] == [
        named("adam", recipe=False),
        named("sgd", recipe=False),
        "pooled over 2 conditions",
    ]
    assert report_of(study).verdicts.columns == ("adam", "sgd", "pooled")


def test_maps_show_the_same_images_and_previews_the_same_photograph(build, fake, tmp_path):
    study = Study(fake(build(recipes={"none": (), "crop": (CROP,)}, seeds=2), tmp_path, images=40))
    sections = {section.slug: section for section in report_of(study).sections}
    (figure,), (strips,) = sections["embedding"].figures, sections["pictures"].figures
    maps = figure.data()
    assert [shown.recipe for shown in maps.maps] == ["none", "crop"]
    assert {len(shown.points) for shown in maps.maps} == {len(maps.labels)} == {40}
    assert all(0 < shown.trustworthiness <= 1 and shown.measures.images == 40 for shown in maps.maps)
    assert any("t-SNE bends distances" in note for note in sections["embedding"].caution)
    assert [row.about for row in strips.rows] == ["no augmentation", "RandomResizedCrop(scale=(0.35, 1.0))"]
    captions = study.results.run(study.shown_runs.runs["crop"]).record().evidence["captions"]
    shown = [" ".join(lines).replace("\N{NO-BREAK SPACE}", " ") for lines in strips.rows[1].words if lines]
    assert shown[: len(captions)] == list(captions)
    assert all("“adam”, seed 0" in plain(caption) for caption in (figure.caption, strips.caption))


def test_same_inputs_give_the_same_bytes(build, fake, tmp_path):
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, seeds=3)
    results = fake(experiment, tmp_path, images=40)
    effects = compare(results)
    first, second = (write_report(experiment, results, effects, tmp_path / name, pdf=False) for name in ("a", "b"))
    names = sorted(file.relative_to(first) for file in first.rglob("*") if file.is_file())
    assert {"report.html", "evidence.json"} <= set(map(str, names))
    assert names == sorted(file.relative_to(second) for file in second.rglob("*") if file.is_file())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_names_are_escaped_everywhere(build, fake, tmp_path):
    experiment = build(
        recipes={"none": (), HOSTILE: (Brightness(0.4),)},
        optimizers={"<script>alert(1)</script>": Adam(), "sgd": Adam(lr=0.01)},
        seeds=3,
        question="Is 1 < 2 & <i>so</i>?",
    )
    results = fake(experiment, tmp_path, images=40, gains={HOSTILE: 0.05})
    html = written_page(Study(results), tmp_path / "report")
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 1, "that of the page itself"
    assert "<b>&" not in html
    assert "<i>so" not in html
    assert HOSTILE in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "Is 1 < 2 & <i>so</i>?" in page.text


def test_missing_failed_and_diverged_runs_are_in_the_warnings_and_the_table(build, fake, tmp_path):
    fates = {0: "failed", 1: "diverged", 2: "planned"}
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, optimizers={"adam": Adam()}, seeds=6)
    results = fake(
        experiment,
        tmp_path,
        images=40,
        fate=lambda c: fates.get(c.seed, "finished") if c.factors["recipe"] == "crop" else "finished",
    )
    page = Page(written_page(Study(results), tmp_path / "report"))
    box = page.text[
        page.text.index("Read with care") : page.text.index("Which recipes help?", page.text.index("Read with care"))
    ]
    assert all(f"1 of 12 runs {status}" in box for status in ("failed", "diverged", "not started"))
    assert "OutOfMemoryError: 3 GiB asked, 1 GiB free" in page.text
    assert "3 of 6" in page.text
    assert "Heat map of mean" not in str(page.tags), "one condition makes no heat map"
    assert "adam , seed 3" in page.text, "the first seed that finished for all recipes"


def test_a_report_of_nothing(build, fake, tmp_path):
    experiment = build()
    results = fake(experiment, tmp_path, fate=lambda _: "planned")
    page = Page(written_page(Study(results), tmp_path / "report"))
    assert "No answer yet: no recipe has a finished run" in page.text
    assert "Learning curves" not in page.text
    assert not {"img", "svg"} & {tag for tag, _ in page.tags}


def test_report_is_made_again_only_when_something_changed(build, fake, tmp_path):
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, optimizers={"adam": Adam()}, seeds=3)
    results = fake(experiment, tmp_path, images=16)
    study, out = Study(results), tmp_path / "report"
    needed = ["report.html"]
    digest = input_digest([study])
    assert not report_is_current(out, digest, needed)
    write_report(experiment, results, study.effects, out, pdf=False)
    made = (out / "report.html").stat().st_mtime_ns
    assert report_is_current(out, digest, needed)
    assert not report_is_current(out, digest, [*needed, "report.pdf"])
    write_report(study, out=out, pdf=False)
    assert (out / "report.html").stat().st_mtime_ns == made, "a study is the same input as its results and effects"
    assert not report_is_current(out, input_digest([Study(results, command="ablation run another")]), needed)
    changed = Study(results, [replace(study.effects[1], estimate=0.5)])
    assert not report_is_current(out, input_digest([changed]), needed)

    run = results.run(results.frame["id"][0])
    record = run.record()
    write_record(
        run.folder,
        replace(record, environment={**record.environment, "platform": "elsewhere"}),
        results.arrays(record.id),
    )
    results = fake(experiment, tmp_path, images=16)
    assert not report_is_current(out, input_digest([Study(results)]), needed)
    assert "elsewhere" in written_page(Study(results), out)


def test_a_report_of_an_experiment_takes_its_results(build):
    with pytest.raises(TypeError, match="takes its results"):
        write_report(build())


@pytest.mark.parametrize("changes", [{}, {"split": Fixed(), "test": Welch()}], ids=["paired", "Welch"])
def test_a_report_takes_no_results_or_effects_of_another(build, fake, tmp_path, changes):
    experiment, out = build(recipes={"none": (), "crop": (CROP,)}, seeds=3, **changes), tmp_path / "report"
    results = fake(experiment, tmp_path / "one", images=16)
    better = compare(fake(experiment, tmp_path / "other", images=16, gains={"crop": 0.2}))
    fewer = compare(fake(experiment, tmp_path / "fewer", images=16, fate=lambda c: "planned" if c.seed else "finished"))
    for effects in (better, fewer):
        with pytest.raises(ValueError, match="effects are of other results"):
            write_report(experiment, results, effects, out)
    with pytest.raises(ValueError, match="results are of another experiment"):
        write_report(replace(experiment, alpha=0.1), results, compare(results), out)
    assert not out.exists()
    assert write_report(experiment, results, compare(results)[::-1], out, pdf=False) == out


def loaded(code: str) -> set[str]:
    """The modules that a new Python has loaded after this."""
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return set(ended.stdout.split())


def test_importing_every_section_draws_nothing_and_knows_neither_torch_nor_mlflow():
    assert not {"torch", "mlflow", "matplotlib", "jinja2"} & loaded("import ablation.report.contents")


def test_the_page_is_made_without_torch_mlflow_and_windows():
    modules = loaded("import ablation.report.render.html")
    assert "jinja2" in modules
    assert not {"torch", "mlflow", "matplotlib.pyplot"} & modules
