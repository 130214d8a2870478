"""Errors: what a person is told of an exception, and an attempt at what may fail without harm."""

import pytest

from ablation.core.errors import DataError, InputError, Problem, attempt, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("two\nlines"), "ValueError: two"),
        (KeyError("Lion"), "KeyError: 'Lion'"),
        (RuntimeError(), "RuntimeError"),
        (InputError([Problem("wrong", "lr"), Problem("more")]), "wrong; more"),
        (DataError("no such file"), "no such file"),
    ],
)
def test_a_reason_is_one_line(error, reason):
    assert reason_of(error) == reason


def test_an_attempt_gives_what_it_computes_or_what_stands_for_it_and_why():
    notes = []
    assert attempt("the sum", lambda: 1 + 1, 0, notes.append) == 2
    assert notes == []
    assert attempt("the share", lambda: 1 / 0, 0.5, notes.append) == 0.5
    assert notes == ["the share: not known (ZeroDivisionError: division by zero)"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_attempt_does_not_hold_up_who_wants_to_stop(kind):
    def stop():
        raise kind

    with pytest.raises(kind):
        attempt("anything", stop, None, print)
