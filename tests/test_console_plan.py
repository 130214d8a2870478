"""What `ablation plan` prints of names and of a loss."""

from dataclasses import replace

import pytest
from made_up import question

from ablation.augment import Brightness
from ablation.console_plan import show_plan
from ablation.data import Digits, listing
from ablation.evidence.outlook import Spread
from ablation.experiment import Experiment


@pytest.fixture
def printed(tmp_path, capsys):
    data = listing(Digits(), tmp_path, None)

    def told(experiment: Experiment, spread: Spread = Spread()) -> str:  # noqa: B008
        show_plan(experiment, data, experiment.cells(data.digest), 0, spread, spread)
        return " ".join(capsys.readouterr().out.split())

    return told


@pytest.mark.parametrize("name", ["[/]", "[bold]", "none[red]", "back\\", "it's"])
def test_a_baseline_is_printed_as_it_is_called(printed, name):
    """Names are no markup."""
    asked = replace(question(), recipes={name: (), "bright": (Brightness(0.4),)}, baseline=name)
    assert f"comparisons with {name!r}, alpha 0.05" in printed(asked)


def test_of_a_loss_it_says_that_nothing_is_known(printed):
    loss = replace(question(), metric="log_loss")
    told = printed(loss)
    assert "how much log loss varies over seeds is not known before the first runs" in told
    assert "takes" not in told
    known = printed(loss, Spread(0.2, "given"))
    assert "0.100 takes 0.200 takes 0.400 takes" in known
    assert "in nats; sd: over seeds, given" in known
    assert "0.5 takes 1.0 takes 2.0 takes" in printed(question())
