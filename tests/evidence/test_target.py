"""What a verdict is about: the words for each way to split and to test, and what all splits of a grid vary."""

from dataclasses import replace

import pytest
from made_up import question

from ablation import CorrectedResampled, Crossed, Dunnett, Given, KFold, Paired, PerSeed, Redrawn, Welch
from ablation.core.errors import InputError
from ablation.data import Fixed
from ablation.evidence.target import target_of

NEW, THESE = "for new training and test photographs", "on these test photographs"


@pytest.mark.parametrize(
    ("split", "test", "told"),
    [
        (Redrawn(), None, NEW),
        (Redrawn(), Crossed(), NEW),
        (Redrawn(), Paired(), f"for new training photographs, {THESE}"),
        (PerSeed(), None, NEW),
        (KFold(), CorrectedResampled(), NEW),
        (Fixed(), None, "for this split"),
        (Fixed(), Welch(), f"for this split, {THESE}"),
        (Fixed(), Dunnett(), f"for this split, {THESE}"),
        (Given(), None, "for this training set"),
        (Given(), Paired(), f"for this training set, {THESE}"),
    ],
    ids=str,
)
def test_what_a_verdict_holds_for(split, test, told):
    assert str(target_of(replace(question(), split=split, test=test))) == told


def test_where_the_metric_knows_no_photographs_they_are_those_given():
    assert str(target_of(replace(question(), test=None, metric="ece"))) == f"for this split, {THESE}"


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        ((Redrawn(0.1), Redrawn(0.2)), NEW),
        ((Redrawn(), Fixed()), "for this split"),
        ((Given(), Given(0.2)), "for this training set"),
        ((Given(), Fixed()), "for this split"),
    ],
)
def test_of_several_splits_it_is_what_all_of_them_vary(splits, told):
    assert str(target_of(replace(question(), test=None, vary={"split": splits}))) == told


@pytest.mark.parametrize("test", [Welch(), Dunnett()])
def test_a_test_that_knows_nothing_of_shared_training_parts_is_refused(test):
    with pytest.raises(InputError, match="recipes share it, and are to be compared in pairs"):
        replace(question(), split=Redrawn(), test=test)
