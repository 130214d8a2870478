"""Operations, doses and train sizes on the page: where they stand, when they are absent, names escaped."""

from dataclasses import replace

import pytest
from pages import Page, html_of
from test_report import HOSTILE

from ablation import Adam, Brightness, Contrast, RandomResizedCrop
from ablation.data import TrainSize
from ablation.evidence.study import Study
from ablation.experiment.recipes import dose

TITLES = ["What does each operation contribute?", "How strong should it be?", "Does it help only when data are few?"]


@pytest.fixture(scope="module")
def page(build, fake, tmp_path_factory) -> Page:
    """All combinations of two, three strengths of a crop, and two train sizes; one name is hostile."""
    recipes = {"none": (), HOSTILE: (Brightness(0.4),), "contrast": (Contrast(0.4),)}
    recipes |= {"both": (Brightness(0.4), Contrast(0.4)), **dose(RandomResizedCrop(), (0.5, 1))}
    experiment = build(
        recipes=recipes, optimizers={"adam": Adam()}, vary={"train_size": (TrainSize(5), TrainSize(10))}, seeds=3
    )
    results = fake(experiment, tmp_path_factory.mktemp("told"), images=20)
    images = [10 * cell.spec.train_size.per_class for cell in results.cells]
    results = replace(results, frame=results.frame.assign(train_images=images))
    return Page(html_of(Study(results)))


def test_the_sections_stand_in_order_and_are_closed(page):
    assert page.open == []
    headings = ["Which recipes help?", *TITLES]
    positions = [page.text.rindex(heading) for heading in headings]
    assert positions == sorted(positions)
    assert page.text.count("the margin within which recipes count as equivalent") >= 2


def test_each_has_its_words_its_table_and_its_picture(page):
    alts = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    for words in (
        "the contribution of each operation in points of accuracy",
        "Accuracy against the dose",
        "against the number of training",
    ):
        assert sum(words in alt for alt in alts) == 1
    text = page.text
    for words in (
        "All 4 combinations of",
        "beyond the sum",
        "3 doses of the strength of RandomResizedCrop",
        "100 images",
    ):
        assert words in text
    titled = {attributes["id"] for tag, attributes in page.tags if tag == "section"}
    assert {"attribution", "dose_response", "train_size"} <= titled


def test_hostile_names_are_shown_as_they_are(page):
    assert f"{HOSTILE} " in page.text


def test_sections_whose_question_is_not_asked_are_absent(build, fake, tmp_path):
    experiment = build(recipes={"none": (), "crop": (RandomResizedCrop(),)}, optimizers={"adam": Adam()}, seeds=3)
    results = fake(experiment, tmp_path, images=20)
    page = Page(html_of(Study(results)))
    assert not any(title in page.text for title in TITLES)


def test_a_section_without_scores_says_so_and_has_no_picture(build, fake, tmp_path):
    experiment = build()
    results = fake(experiment, tmp_path, fate=lambda _: "planned")
    page = Page(html_of(Study(results)))
    assert "No answer yet: a recipe of the design has 0 finished" in " ".join(page.text.split())
    assert not {"img", "svg"} & {tag for tag, _ in page.tags}
