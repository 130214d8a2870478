"""What `ablation plan` prints: within the terminal's width, of names, of a loss, and what verdicts will hold for."""

from dataclasses import replace

import pytest
from made_up import question

from ablation.augment import Brightness
from ablation.cli.console import console
from ablation.cli.plan import Known, show_plan
from ablation.cli.plan_cost import Estimate, estimate
from ablation.data import Digits, Redrawn, listing
from ablation.evidence.power import Spread
from ablation.experiment.experiment import Experiment


@pytest.fixture
def printed(cache, capsys):
    data = listing(Digits(), cache, None)

    def plan_of(experiment: Experiment, spread: Spread = Spread()) -> str:  # noqa: B008
        known = Known(single=spread, pooled=spread)
        show_plan(
            experiment, data, experiment.cells(data.digest), known, Estimate(), "ablation plan made_up", every=True
        )
        return " ".join(capsys.readouterr().out.split())

    return plan_of


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(cache, capsys, monkeypatch, width):
    monkeypatch.setattr(console, "width", width)
    experiment = replace(question(), recipes={"none": (), "a_rather_long_name_of_a_recipe": (Brightness(0.4),)})
    data = listing(Digits(), cache, None)
    cells = experiment.cells(data.digest)
    show_plan(experiment, data, cells, Known(), estimate(cells, data, cache, {}), "ablation plan made_up", every=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 20
    assert max(map(len, lines)) <= width
    assert "a_rather_long_name_of_a_recipe" in "".join(line.strip() for line in lines)


@pytest.mark.parametrize("name", ["[/]", "[bold]", "none[red]", "back\\", "it's"])
def test_a_baseline_is_printed_as_it_is_called(printed, name):
    """Names are no markup."""
    named = replace(question(), recipes={name: (), "bright": (Brightness(0.4),)}, baseline=name)
    assert f"each recipe against {name!r} by Welch()" in printed(named)


def test_of_a_loss_it_says_that_nothing_is_known(printed):
    loss = replace(question(), metric="log_loss")
    text = printed(loss)
    assert "how much log loss varies over seeds is not known before the first runs" in text
    assert "seeds for" not in text
    known = printed(loss, Spread(0.2, "given"))
    assert "test seeds for seeds for seeds for" in known
    assert "detects 0.100 0.200 0.400" in known
    assert "in nats; sd: over seeds, given" in known
    assert "for 0.5 for 1.0 for 2.0" in printed(question())


def test_it_says_what_verdicts_will_hold_for_and_what_that_costs(printed):
    fixed = printed(question())
    assert "Verdicts hold for this split, on these test photographs, 5 seeds." in fixed
    assert "split=Redrawn(...) redraws them for each seed" in fixed
    apart = printed(replace(question(), test=None, split=Redrawn(100, 100, 700)), Spread(0.01, "given"))
    assert "Verdicts hold for new training and test photographs, 5 seeds." in apart
    assert "with the test photographs taken as given it would detect" in apart
    assert "share photographs" not in apart
    shared = printed(replace(question(), test=None, split=Redrawn(0.3, 0.1, 0.3)))
    assert "Training parts of different seeds share photographs; if they shared none it would detect " in shared


def test_the_primary_comparisons_come_first(printed):
    """Two recipes pooled over two optimizers, or each under each."""
    text = printed(question())
    assert "corrected over the 2 pooled comparisons, which come first" in text
    assert "2 recipes pooled over 2 conditions" in text
    assert "under each of" not in text
    each = printed(replace(question(), primary="each"))
    assert "corrected over the 4 comparisons under each condition, which come first" in each
    assert "2 recipes under each of 2 conditions" in each
