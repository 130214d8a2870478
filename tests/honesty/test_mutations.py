"""A claim that holds under a mistake proves nothing: mistakes are put into the product, and the claims must notice.

The quick ones run always, the others in `make honesty`, which also holds docs/honesty.md to the table of `mutations`.
"""

from pathlib import Path

import numpy as np
import pytest
from mutations import CASES, KNOWN, MUTATIONS, Mutation, as_it_is, is_slow, kept, mutated, table, under
from product import PRODUCT

from ablation.analysis import student

DOCS = Path(__file__).parents[2] / "docs" / "honesty.md"


def marked(mutation: Mutation | None, asked: str, seeds: int):
    told = f"{mutation.name}: " if mutation else ""
    marks = [pytest.mark.slow] if is_slow(asked, seeds) else []
    return pytest.param(
        *([mutation] if mutation else []), asked, seeds, id=f"{told}{asked}, {seeds} seeds", marks=marks
    )


@pytest.mark.parametrize(("mutation", "asked", "seeds"), [marked(*case) for case in CASES])
def test_the_mistake_is_noticed(mutation, asked, seeds):
    """The same measurement, without the mistake and with it: the bound is kept, then not."""
    claim = KNOWN[asked]
    assert kept(claim, seeds, as_it_is(asked, seeds))
    assert not kept(claim, seeds, under(mutation, asked, seeds))


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "seeds"), [(claim.asked, seeds) for claim in PRODUCT for seeds in claim.bounds])
def test_what_compare_says_keeps_its_bound(asked, seeds):
    assert kept(KNOWN[asked], seeds, as_it_is(asked, seeds))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mistake_is_taken_out_again(mutation):
    codes = {function: function.__code__ for function in mutation.edits}
    with mutated(mutation):
        assert all(function.__code__ is not code for function, code in codes.items())
    assert all(function.__code__ is code for function, code in codes.items())


def test_a_mistake_is_met_wherever_the_function_was_imported_to():
    """`crossed` and `bootstrap` have `variance` by its bare name."""
    from ablation.analysis.bootstrap import variance

    [mutation] = [mutation for mutation in MUTATIONS if mutation.name == "ddof = 0"]
    with mutated(mutation):
        assert variance([1.0, 3.0]) == student.variance([1.0, 3.0]) == 1.0
    assert variance([1.0, 3.0]) == np.var([1.0, 3.0], ddof=1) == 2.0


@pytest.mark.slow
def test_the_docs_hold_what_was_noticed():
    told = DOCS.read_text("utf-8").splitlines()
    assert [row for row in table() if row not in told] == []
