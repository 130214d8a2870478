"""Operations, doses and train sizes on the terminal: the report's words and tables within 120 columns."""

from dataclasses import replace
from typing import Any

import pytest
from balanced import luck
from made_up import question, results_of

from ablation.augment import Brightness, Contrast, RandomResizedCrop
from ablation.cli.console_curves import show_curves
from ablation.data import TrainSize
from ablation.experiment.experiment import Cell
from ablation.experiment.recipes import dose, powerset
from ablation.experiment.results import Results
from ablation.optim import Adam

PARTS = {"bright": Brightness(0.4), "contrast": Contrast(0.4)}


def score(cell: Cell) -> float:
    return 0.8 + 0.05 * bool(cell.spec.recipe) + luck(cell)


def printed(capsys: pytest.CaptureFixture[str], results: Results) -> str:
    show_curves(results)
    return capsys.readouterr().out


def asking(**changes: Any) -> Results:
    return results_of(replace(question(), **changes), score)


def test_each_section_that_is_asked_for_is_printed_in_order(capsys):
    recipes = powerset(PARTS) | {name: recipe for name, recipe in dose(RandomResizedCrop(), (0.5, 1)).items() if recipe}
    results = asking(recipes=recipes, vary={"train_size": (TrainSize(10), TrainSize(20))})
    images = [10 * cell.spec.train_size.per_class for cell in results.cells]
    told = printed(capsys, replace(results, table=results.table.assign(train_images=images)))
    titles = [
        "What does each operation contribute?",
        "How strong should it be?",
        "Does it help only when data are few?",
    ]
    places = [told.index(title) for title in titles]
    assert places == sorted(places)
    for words in (
        "pooled over 4 conditions",
        "beyond the sum",
        "added to all",
        "strength of RandomResizedCrop",
        "100 images",
    ):
        assert words in told
    assert "Holm p < .001" in " ".join(told.split())


def test_what_is_not_asked_is_not_printed(capsys):
    assert printed(capsys, asking()) == ""


@pytest.mark.parametrize("name", ["adam", "[bold]a rather long name of an optimizer that nobody would give[/]"])
def test_everything_fits_120_columns_and_is_shown_as_it_is(capsys, name):
    recipes = powerset(PARTS) | {name: recipe for name, recipe in dose(RandomResizedCrop(), (0.5, 1)).items() if recipe}
    long = {
        "recipes": recipes | {f"{name} recipe": (Contrast(0.1),)},
        "optimizers": {name: Adam(), "sgd": Adam(lr=0.1)},
    }
    told = printed(capsys, asking(**long))
    assert max(map(len, told.splitlines())) <= 120
    assert "curve is" in told
    assert "lowest" in told
    assert "…" not in told
    assert name in " ".join(told.split())


def test_of_many_conditions_the_terminal_shows_the_last(capsys):
    many = {f"adam {place}": Adam(lr=0.001 * (1 + place)) for place in range(9)}
    told = printed(capsys, asking(recipes=powerset(PARTS), optimizers=many))
    assert "pooled over 9 conditions" in told
    assert told.count("beyond the sum") == 1
