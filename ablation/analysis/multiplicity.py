"""Correction for the number of comparisons: Holm's, and gatekeeping, in which primary comparisons come first.

Gatekeeping is the graphical procedure of Bretz, Maurer, Brannath and Posch (2009, "A graphical approach to sequentially
rejective multiple test procedures", Statistics in Medicine 28, algorithms 1 and 2): each hypothesis has a share of
alpha; what is rejected hands its share on along the edges of a graph. The family-wise error over all hypotheses is at
most alpha, whatever they have in common. With equal shares that are handed on evenly it is Holm's procedure. Knows no
experiments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.student import Floats


class Gatekept(NamedTuple):
    """adjusted (m,): p-values to be held against alpha; nan stays nan. level (m,): of each hypothesis's own test, the
    share of alpha at which it was rejected, or that it is left with; 0 where it was never reached."""

    adjusted: Floats
    level: Floats


def gatekept(p_values: ArrayLike, weights: ArrayLike, transitions: ArrayLike, alpha: float = 0.05) -> Gatekept:
    """p_values, weights (m,): shares of alpha, sum at most 1. transitions (m, m): row i says which share of what i had
    goes where once i is rejected; rows sum to at most 1, the diagonal is 0.

    >>> gatekept([0.01, 0.04], [0.5, 0.5], [[0, 1], [1, 0]]).adjusted.tolist()  # Holm's
    [0.02, 0.04]
    """
    p, share, graph = np.asarray(p_values, float), np.array(weights, float), np.array(transitions, float)
    adjusted, level = np.where(np.isnan(p), np.nan, 1.0), np.zeros(len(p))
    left, largest, stopped = np.flatnonzero(~np.isnan(p)).tolist(), 0.0, False
    while left:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(share[left] > 0, p[left] / share[left], np.inf)
        if not np.isfinite(ratios).any():
            break
        chosen = left.pop(int(ratios.argmin()))
        largest = max(largest, float(ratios.min()))
        adjusted[chosen] = min(1.0, largest)
        if largest < alpha:
            level[chosen] = alpha * share[chosen]
        elif not stopped:
            stopped, level[[chosen, *left]] = True, alpha * share[[chosen, *left]]
        if largest >= 1:  # and so is that of all that are left, which have 1 already
            break
        share, graph = _handed_on(chosen, share, graph)
    return Gatekept(adjusted, level)


def _handed_on(chosen: int, share: Floats, graph: Floats) -> tuple[Floats, Floats]:
    """The shares and the graph without the hypothesis `chosen`."""
    share = share + share[chosen] * graph[chosen]
    share[chosen] = 0.0
    loops = graph[:, chosen] * graph[chosen]
    with np.errstate(divide="ignore", invalid="ignore"):
        updated = (graph + np.outer(graph[:, chosen], graph[chosen])) / (1 - loops)[:, None]
    updated = np.where((loops < 1)[:, None], updated, 0.0)
    updated[chosen], updated[:, chosen] = 0.0, 0.0
    np.fill_diagonal(updated, 0.0)
    return share, updated


def behind(parents: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
    """(weights, transitions) of m hypotheses. parents: of each, the primary ones behind which it stands; () if primary.

    Primary hypotheses have equal shares. What is rejected hands half of its share to the other primary ones and half to
    what stands behind it (a secondary one: to the others behind the same); all where the other half has nowhere to go.
    """
    count = len(parents)
    primary = [index for index in range(count) if not parents[index]]
    weights, transitions = np.zeros(count), np.zeros((count, count))
    weights[primary] = 1 / len(primary) if primary else 0.0
    for index in range(count):
        own = {index} if not parents[index] else set(parents[index])
        near = [other for other in range(count) if other != index and own & set(parents[other])]
        far = [other for other in primary if other != index and other not in parents[index]]
        for targets, others in ((near, far), (far, near)):
            if targets:
                transitions[index, targets] = (0.5 if others else 1.0) / len(targets)
    return weights, transitions


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values (Holm 1979). (..., m) -> (..., m), each row of m a family.

    nan stays nan but counts in the family.
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values, axis=-1, kind="stable")  # nan comes last
    steps = np.take_along_axis(p_values, order, axis=-1) * np.arange(p_values.shape[-1], 0, -1)
    adjusted = np.empty_like(p_values)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(np.minimum(steps, 1.0), axis=-1), axis=-1)
    return adjusted
