"""What effects, results and sections show of themselves: text in a few lines, HTML that is closed and escaped."""

import copy
import io
import pickle
from dataclasses import replace

import numpy as np
import pytest
from made_up import question, results_of
from pages import Page

from ablation import Adam, Brightness, Crossed, Effects, Study, compare, html_of, section, text_of, write_report
from ablation.core.text import MINUS
from ablation.data import Fixed

HOSTILE = '</style><script>alert("1")</script>'


@pytest.fixture(scope="module")
def hostile(build, fake, tmp_path_factory):
    """Two recipes, one of which has a name that is HTML; one run has failed, one is planned."""
    experiment = build(recipes={"none": (), HOSTILE: (Brightness(0.4),)}, seeds=4)
    fates = {("none", "adam", 3): "failed", (HOSTILE, "sgd", 2): "planned"}
    return fake(
        experiment, tmp_path_factory.mktemp("runs"), images=40,
        fate=lambda cell: fates.get((*cell.factors.values(), cell.seed), "finished"),
    )  # fmt: skip


def test_effects_are_a_tuple_with_the_experiment_that_they_are_of(complete):
    effects = compare(complete)
    assert isinstance(effects, Effects)
    assert effects == tuple(effects)
    assert effects[1:] == tuple(effects)[1:]
    assert effects.experiment is complete.experiment
    assert Study(complete, tuple(effects)).effects.experiment is complete.experiment
    for again in (copy.deepcopy(effects), pickle.loads(pickle.dumps(effects))):
        assert isinstance(again, Effects)
        assert again.experiment == effects.experiment
        assert repr(again) == repr(effects)


def test_effects_of_one_recipe_are_had_by_its_name(complete):
    effects = compare(complete)
    assert effects["crop"] == tuple(effect for effect in effects if effect.recipe == "crop")
    assert len(effects["crop"]) == 3  # under two conditions, and pooled
    assert effects[0] is next(iter(effects))
    with pytest.raises(KeyError, match=r"there is no recipe 'crap'; did you mean 'crop'\? \(none, .*crop"):
        effects["crap"]


def test_effects_print_the_answer_and_a_line_a_recipe(complete):
    effects = compare(complete)
    first, *rows, last = repr(effects).splitlines()
    assert first == "“all” and “crop” are better than “none”, pooled over “adam” and “sgd”."
    pooled = [effect for effect in effects if effect.pooled and effect.recipe != "none"]
    for row, effect in zip(rows, pooled, strict=True):
        numbers = f"{100 * effect.estimate:+.1f} {100 * effect.low:+.1f} to {100 * effect.high:+.1f}"
        assert row.split()[0] == effect.recipe
        assert row.split()[-1] == effect.verdict
        assert " ".join(row.translate(str.maketrans(MINUS, "-", "[]")).split()[1:-1]) == numbers
    assert len({row.index("]") for row in rows}) == 1
    assert last == "Differences in points of accuracy with simultaneous intervals, pooled over 2 conditions"


def test_effects_of_many_recipes_are_a_dozen_lines():
    many = {f"r{number:02}": (Brightness(number / 100),) for number in range(1, 40)}
    results = results_of(replace(question(), recipes={"none": (), **many}, optimizers={"adam": Adam()}))
    lines = repr(compare(results)).splitlines()
    assert len(lines) <= 12
    assert lines[-2] == "... and 32 recipes more: to_frame() has all"


def test_a_frame_has_a_row_a_comparison_with_the_numbers_of_the_effects(complete):
    effects = compare(complete)
    frame = effects.to_frame()
    tested = [effect for effect in effects if effect.verdict != "baseline"]
    assert frame["recipe"].tolist() == [effect.recipe for effect in tested]
    assert frame["difference"].tolist() == [effect.estimate for effect in tested]
    assert frame["low"].tolist() == [effect.low for effect in tested]
    assert frame["p_adjusted"].tolist() == [effect.p_adjusted for effect in tested]
    assert (frame["baseline_mean"] + frame["difference"] - frame["mean"]).abs().max() < 1e-12
    assert frame["pooled"].tolist() == frame["optimizer"].isna().tolist() == [not effect.condition for effect in tested]
    assert frame["verdict"].tolist() == [effect.decision for effect in tested]
    assert (frame["metric"].unique().tolist(), frame["unit"].unique().tolist()) == (["accuracy"], ["points"])
    assert frame["recipe"].cat.categories.tolist() == list(complete.experiment.recipes)
    assert frame.isna().sum().drop("optimizer").sum() == 0


def test_a_frame_of_nothing_to_compare_is_empty():
    results = results_of(replace(question(), recipes={"none": ()}))
    frame = compare(results).to_frame()
    assert len(frame) == 0
    assert {"recipe", "optimizer", "difference", "verdict", "note"} <= {*frame}
    assert "“none” is the only recipe" in repr(compare(results))


def test_results_print_five_lines(hostile):
    lines = repr(hostile).splitlines()
    assert lines[0] == "fake: 14 of 16 runs finished"
    assert lines[1] == "grid: 2 recipes × 2 optimizers × 4 seeds; baseline “none”"
    assert lines[2].startswith("accuracy: ")
    assert lines[3].startswith(f"runs: {hostile.folder}")
    assert sorted(lines[4].removeprefix("missing: ").split(" and ")) == ["1 failed", "1 planned"]
    assert len(lines) == 5


def test_results_of_which_no_run_has_finished_say_so(build, fake, tmp_path):
    results = fake(build(seeds=3), tmp_path, fate=lambda _: "planned")
    assert repr(results).splitlines()[2] == "accuracy: no run has finished"
    assert "no run has finished" in Page(html_of(results)).text
    assert len(results.predictions()) == 0
    assert results.table()["accuracy"].isna().all()
    assert len(repr(compare(results)).splitlines()) <= 12


def test_the_score_of_results_is_in_the_unit_of_the_metric(build, fake, tmp_path):
    results = fake(build(metric="log_loss", seeds=3, test=Crossed()), tmp_path)
    low, high = results.finished["log_loss"].agg(["min", "max"])
    assert f"log_loss: {low:.3f} nats to {high:.3f} nats" in repr(results)


def test_a_section_prints_what_was_found(complete):
    lines = repr(section(complete, "split_analysis")).splitlines()
    assert lines[0] == "Section split_analysis: Did it reduce overfitting?"
    assert lines[-1] == "  1 figure, 1 table"
    assert len(lines) <= 5


@pytest.mark.parametrize("slug", ["effects", "split_analysis", "learning_curves", "interaction", "pictures"])
def test_a_section_shows_its_figures_and_tables_in_a_notebook(complete, slug):
    found = section(complete, slug)
    page = Page(found._repr_html_())
    assert page.open == []
    tags = [tag for tag, _ in page.tags]
    figures = [figure for figure in found.figures if hasattr(figure, "draw")]
    assert tags.count("svg") == len(figures)
    assert tags.count("table") >= len(found.tables)
    assert "script" not in tags
    assert tags.count("img") == sum(len(figure.rows) for figure in found.figures if hasattr(figure, "rows"))
    addresses = {attributes[key] for _, attributes in page.tags for key in {"src", "href"} & {*attributes}}
    assert all(str(address).startswith(("#", "data:image/")) for address in addresses)


def test_the_style_is_within_the_output(complete):
    """Whatever else stands in the notebook keeps its own style."""
    html = html_of(compare(complete))
    style = html[html.index("<style>") : html.index("</style>")]
    depth = 0
    for line in style.splitlines()[1:]:
        assert depth or not line.strip() or line.startswith(".ablation"), line
        depth += line.count("{") - line.count("}")
    assert depth == 0
    assert ":root" not in style
    assert "--ink" in style


def test_names_are_shown_as_they_are_and_obeyed_nowhere(hostile):
    effects = compare(hostile)
    for value in (effects, hostile, section(hostile, "effects"), section(hostile, "interaction")):
        page = Page(value._repr_html_())
        assert page.open == []
        assert "script" not in {tag for tag, _ in page.tags}
        assert HOSTILE in page.text
    assert HOSTILE[:14] in repr(effects)


def test_a_section_that_no_study_has_dressed_shows_itself_too(complete):
    page = Page(html_of(replace(section(complete, "effects"), look={})))
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("svg") == 2


def test_a_section_by_itself_is_that_of_the_report(complete, tmp_path):
    """Its look changes no page and no number."""
    folder = write_report(Study(complete), out=tmp_path / "report", pdf=False, only=["effects"])
    shown = Page(html_of(section(complete, "effects")))
    page = Page((folder / "report.html").read_text("utf-8"))
    rows = [attributes for tag, attributes in shown.tags if tag in ("tr", "td", "path")]
    assert rows
    every = [attributes for tag, attributes in page.tags if tag in ("tr", "td", "path")]
    assert all(row in every for row in rows)


def test_what_the_output_cannot_show_is_spelled(complete, monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr("sys.stdout", output)
    effects = compare(complete)
    print(effects, complete, section(complete, "effects"), sep="\n")
    output.flush()
    printed = output.buffer.getvalue().decode("ascii")
    assert '"all" and "crop" are better than "none"' in printed
    assert "[-" in printed


@pytest.mark.parametrize("value", [None, (), "crop", 3])
def test_anything_else_is_no_such_value(value):
    for show in (text_of, html_of):
        with pytest.raises(TypeError, match=rf"{type(value).__name__}: expected what compare\(results\)"):
            show(value)


def test_the_table_is_tidy_whatever_became_of_a_run(hostile):
    table = hostile.table()
    assert len(table) == len(hostile.cells) == 16
    assert table[["recipe", "optimizer", "seed", "id"]].astype(object).values.tolist() == [
        [*cell.factors.values(), cell.seed, cell.spec.id] for cell in hostile.cells
    ]
    assert table["status"].value_counts().to_dict() == {"finished": 14, "failed": 1, "planned": 1}
    lost = table[table["status"] != "finished"]
    assert lost[["accuracy", "seconds", "test_images"]].isna().all().all()
    assert "OutOfMemoryError" in " ".join(lost["reason"])
    kept = table[table["status"] == "finished"]
    assert kept["accuracy"].tolist() == hostile.finished["accuracy"].tolist()
    assert (kept["test_images"] == 40).all()
    assert list(table)[:5] == ["recipe", "optimizer", "seed", "id", "status"]
    table["accuracy"] = 0.0
    assert hostile.frame["accuracy"].max() > 0.5


def test_a_factor_that_varies_is_a_column(build, fake, tmp_path):
    experiment = build(vary={"split": {"few": Fixed(train=0.1, val=0.1, test=0.3), "more": Fixed()}}, seeds=3)
    results = fake(experiment, tmp_path, images=20)
    assert list(results.table())[:3] == list(results.predictions())[:3] == ["recipe", "optimizer", "split"]
    assert set(results.table()["split"]) == {"few", "more"}
    assert "split" in compare(results).to_frame()


def test_predictions_have_a_row_an_image_of_each_finished_run(finished):
    results = finished.results
    frame, table = results.predictions(), results.table()
    assert len(frame) == int(table["test_images"].sum())
    shares = frame.groupby("id", observed=True)["correct"].mean()
    expected = table.set_index("id")["accuracy"]
    assert (shares - expected[shares.index]).abs().max() < 1e-9
    losses = frame.groupby("id", observed=True)["probability"].agg(lambda p: -np.log(p.clip(1e-12)).mean())
    assert (losses - table.set_index("id")["log_loss"][losses.index]).abs().max() < 1e-3
    assert (frame["label"] == frame["predicted"]).equals(frame["correct"])
    one = results.test_predictions(table["id"][0])
    first = frame[frame["id"] == table["id"][0]]
    assert first["image"].tolist() == one.sample.tolist()
    assert first["label"].cat.codes.tolist() == one.label.tolist()
    assert first["file"].tolist() == [results.names[row] for row in one.sample]
    assert len(set(first["file"])) == len(first)


def test_predictions_take_as_much_memory_as_their_docstring_says(finished):
    frame = finished.results.predictions()
    dictionary = frame[["file", "id"]].apply(lambda column: column.cat.categories.memory_usage(deep=True)).sum()
    assert (frame.memory_usage(deep=True).sum() - dictionary) / len(frame) < 28


def test_predictions_without_the_data_have_no_files(complete):
    frame = complete.predictions()  # whose data never was
    assert frame["file"].isna().all()
    assert len(frame) == 50 * 240
