"""What the tests of tables share: effects, worked out once."""

import pytest
from effect_cases import CASES
from made_up import results_of

from ablation.evidence.study import compare


@pytest.fixture(scope="module")
def worked_out():
    """Name of a case -> experiment and effects, worked out once."""
    kept = {}

    def get(case):
        if case not in kept:
            experiment, score = CASES[case]
            kept[case] = experiment, compare(results_of(experiment, score) if score else results_of(experiment))
        return kept[case]

    return get
