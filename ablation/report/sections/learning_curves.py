"""Learning curves: validation accuracy and training loss by epoch, a mean over seeds and a thin line each seed.

From them it is read when validation accuracy came near its highest. That describes these runs, and is not tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.core.text import listing, named, percent, plain
from ablation.evidence.study import Study
from ablation.experiment.labels import condition_named, condition_text, falling_schedules
from ablation.report.charts import ACROSS, MOST_ENDS, label_ends, line_of, name_curves
from ablation.report.section import Figure, Section
from ablation.report.style import WIDTH, Style, drawing, figure, marked, new_panels, shortened
from ablation.report.text import MOST_NAMED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES = {"val_accuracy": "validation accuracy (%)", "train_loss": "training loss (nats)"}
"""Columns of the curves -> what their axes are called."""

MOST_CONDITIONS = 2 * ACROSS
"""Conditions that are drawn."""

CAPTION = (
    "Thick lines: means over the seeds that finished; thin lines: a seed each. Training loss is measured on "
    "augmented images, so a recipe that makes training harder lies higher."
)

MOST_LINES = 100
"""Runs whose lines are drawn in one panel."""

BANDS = "Where more than 100 runs would be drawn in one panel, a band of ± 1 sd over seeds is drawn instead of them."

NEAR = 1.0
"""Points within which a mean is near its highest."""

LATE = 0.9
"""Share of the epochs after which that is so late that accuracy may still have been rising."""


def learning_curves(study: Study) -> Section | None:
    """None where no run has finished."""
    epochs = epochs_of(study)
    curves = means_of(epochs)
    if curves.empty:
        return None
    every = rises(curves, _names(study))
    caption, info = f"{_finding(every)} {CAPTION}{_stopped(epochs)}", CurvesInfo(curves, epochs)
    return Section(
        "learning_curves",
        "Had training converged?",
        "Each thick line is a mean over seeds. Where validation accuracy still rises at the end, more epochs might "
        "change the order of the recipes.",
        answer(every, falling_schedules(study.experiment)),
        (Figure(info, draw_curves, _alt(every), caption, remarks=CurvesInfo.left_out),),
    )


@dataclass(frozen=True)
class Rise:
    """The mean validation accuracy of a recipe under a condition, in percent.

    where: the condition in a sentence, '' where there is only one. epoch: the first, of `epochs`, at which it was
    within `NEAR` points of its highest. last: at the last epoch.
    """

    recipe: str
    where: str
    epoch: int
    epochs: int
    last: float

    @property
    def share(self) -> float:
        """After which part of the epochs."""
        return self.epoch / self.epochs

    def __str__(self) -> str:
        return f"{named(self.recipe)}{self.where}"


def _names(study: Study) -> dict[str, str]:
    """Each condition as the curves call it -> ' under adam', its levels marked as names; '' where there is one."""
    names = {}
    for cell in study.results.cells:
        condition = {name: level for name, level in cell.factors.items() if name != "recipe"}
        under = f" under {condition_named(condition, study.experiment)}"
        names[condition_text(condition, study.experiment)] = under
    return names if len(names) > 1 else dict.fromkeys(names, "")


def rises(curves: pd.DataFrame, names: Mapping[str, str]) -> tuple[Rise, ...]:
    """Of every curve that has a validation accuracy. curves: see `curves_of`. names: see `Rise.where`."""
    every, known = [], curves.dropna(subset=["val_accuracy"])
    for (condition, recipe), curve in known.groupby(["condition", "recipe"], sort=False):
        accuracy, epochs = curve["val_accuracy"].to_numpy(), curve["epoch"].to_numpy()
        near = int(epochs[(accuracy >= accuracy.max() - NEAR).argmax()])
        every.append(Rise(str(recipe), names[str(condition)], near, int(epochs[-1]), float(accuracy[-1])))
    return tuple(every)


def answer(every: Sequence[Rise], falling: Sequence[str] = ()) -> tuple[str, ...]:
    """After which epoch validation accuracy hardly rose, in a sentence; then what that means.

    falling: see `falling_schedules`.
    """
    if not every:
        return ("No validation accuracy was recorded, so that the curves do not say whether training had converged.",)
    if max(one.epochs for one in every) == 1:
        return ("Training took one epoch: whether it had converged cannot be seen.",)
    latest = max(every, key=lambda one: one.share)
    alike = len({one.epochs for one in every}) == 1
    when = f"epoch {latest.epoch} of {latest.epochs}" if alike else f"{percent(round(latest.share, 2))} of the epochs"
    near, described = f"within {NEAR:g} point of its highest", "This describes these runs and is not tested."
    if latest.share > LATE:
        return (
            f"Validation accuracy may still have been rising at the end of training: for {latest} until {when}.",
            f"Not before was its mean over seeds {near}. More epochs might change the order of recipes. {described}",
        )
    by_then = f"By then every mean over seeds had been {near}; {latest} was the last."
    if falling:
        return (
            f"Validation accuracy hardly rose after {when}, while the learning rate was falling "
            f"({listing(falling)}). Whether more epochs would give more, these curves cannot tell.",
            f"{by_then} A falling rate flattens curves, whatever is left to learn. Runs with more epochs tell: "
            f"their schedule ends later (--set epochs={2 * latest.epochs}). {described}",
        )
    return (f"Validation accuracy hardly rose after {when}.", f"{by_then} {described}")


def _finding(every: Sequence[Rise]) -> str:
    """The range of what was reached."""
    if not every:
        return "No validation accuracy was recorded."
    best, worst = (of(every, key=lambda one: one.last) for of in (max, min))
    if best is worst:
        return f"At the last epoch {best} has a mean validation accuracy of {best.last:.1f} %."
    return f"At the last epoch mean validation accuracy is {worst.last:.1f} % ({worst}) to {best.last:.1f} % ({best})."


def _stopped(epochs: pd.DataFrame) -> str:
    """What is said where runs of one line are of unequal length, as where training stops early."""
    keys = ["condition", "recipe"]
    lengths = epochs.groupby([*keys, "seed"])["epoch"].max().groupby(keys).nunique()
    return " Runs stopped after different epochs: a mean is over those that got so far." if (lengths > 1).any() else ""


def _alt(every: Sequence[Rise]) -> str:
    """The last values, as many as can be listened to."""
    each = [f"{one} {one.last:.1f} %" for one in every[:MOST_NAMED]]
    more = [f"{len(every) - MOST_NAMED} more"] if len(every) > MOST_NAMED else []
    ends = f"; validation accuracy at the last epoch: {listing([*each, *more])}" if every else ""
    return plain(f"Lines over the epochs, a line a recipe: validation accuracy above, training loss below{ends}")


def epochs_of(study: Study) -> pd.DataFrame:
    """A row an epoch of each run that finished, in the order of the grid.

    Columns: condition, recipe, seed, epoch; val_accuracy (in percent) and train_loss.
    """
    rows = []
    for cell in study.results.cells:
        record = study.records.get(cell.spec.id)
        if record is not None and record.outcome == "finished":
            others = {factor: level for factor, level in cell.factors.items() if factor != "recipe"}
            curve: dict[str, Any] = {
                "condition": condition_text(others, study.experiment),
                "recipe": cell.factors["recipe"],
            }
            curve |= {"seed": cell.seed}
            rows += [curve | {key: epoch.get(key) for key in ("epoch", *MEASURES)} for epoch in record.history]
    keys = ["condition", "recipe", "seed", "epoch"]
    epochs = pd.DataFrame(rows, columns=[*keys, *MEASURES]).astype(dict.fromkeys(MEASURES, float))
    epochs["val_accuracy"] *= 100
    return epochs


def curves_of(study: Study) -> pd.DataFrame:
    """A row an epoch of each condition and recipe, in the order of the grid.

    Columns: condition, recipe, epoch; val_accuracy (in percent) and train_loss as means over the runs that got so far;
    val_accuracy_sd and train_loss_sd, nan where only one did.
    """
    return means_of(epochs_of(study))


def means_of(epochs: pd.DataFrame) -> pd.DataFrame:
    """The same of `epochs_of`."""
    by_epoch = epochs.drop(columns="seed").groupby(["condition", "recipe", "epoch"], sort=False)
    curves = by_epoch.mean().join(by_epoch.std().add_suffix("_sd")).reset_index()
    return curves.sort_values("epoch", kind="stable", ignore_index=True)


@dataclass(frozen=True, eq=False)
class CurvesInfo:
    """means: see `curves_of`. epochs: of each run (`epochs_of`), where they are to be drawn too."""

    means: pd.DataFrame
    epochs: pd.DataFrame | None = None

    def lines(self, condition: str) -> pd.DataFrame | None:
        """The epochs of the runs under a condition; None where they are more lines than can be told apart."""
        if self.epochs is None:
            return None
        own = self.epochs[self.epochs["condition"] == condition]
        return own if len(own[["recipe", "seed"]].drop_duplicates()) <= MOST_LINES else None

    def left_out(self) -> tuple[str, ...]:
        """A sentence on what is not drawn, or drawn in another way; none where everything is."""
        banded = [str(name) for name in self.means["condition"].unique() if self.lines(str(name)) is None]
        return (*left_out(self.means), *([BANDS] if banded and self.epochs is not None else []))


def foremost(curves: pd.DataFrame, look: Mapping[str, Style]) -> pd.DataFrame:
    """What is drawn: all, or the first conditions, the baseline, and the recipes with the best accuracy at the end."""
    kept = curves[curves["condition"].isin(curves["condition"].unique()[:MOST_CONDITIONS])]
    if kept["recipe"].nunique() <= MOST_ENDS:
        return kept
    ends = kept.dropna(subset=["val_accuracy"]).groupby(["recipe", "condition"], sort=False)["val_accuracy"].last()
    best = ends.groupby("recipe", sort=False).mean().sort_values(ascending=False, kind="stable").index
    others = [recipe for recipe in best if look[recipe].index]
    return kept[~kept["recipe"].isin(others[MOST_ENDS - 1 :])]


def left_out(curves: pd.DataFrame) -> tuple[str, ...]:
    """A sentence on what is not drawn; none where everything is."""
    recipes, conditions, parts = curves["recipe"].nunique(), curves["condition"].nunique(), []
    if recipes > MOST_ENDS:
        best = "with the best validation accuracy at the end"
        parts.append(f"the baseline and {MOST_ENDS - 1} of {recipes} recipes, those {best}")
    if conditions > MOST_CONDITIONS:
        parts.append(f"the first {MOST_CONDITIONS} of {conditions} conditions")
    return (f"Drawn are {', under '.join(parts)}.",) if parts else ()


def draw_curves(info: CurvesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Accuracy over loss, a column a condition, on one scale each.

    axes: two a condition (accuracy, loss, accuracy, ...), by default new ones.
    """
    conditions = list(foremost(info.means, look).groupby("condition", sort=False))
    with drawing():
        axes = _new_axes(len(conditions)) if axes is None else axes
        for index, (title, condition) in enumerate(conditions):
            upper, lower = axes[2 * index : 2 * index + 2]
            upper.set_title(shortened(str(title), 90 // min(len(conditions), ACROSS)))
            lower.set_xlabel("epoch")
            for measure, panel in zip(MEASURES, (upper, lower), strict=True):
                _draw_panel(panel, condition, info.lines(str(title)), measure, look)
        for row, name in enumerate(MEASURES.values()):
            _share_scale(axes[row::2], name)
        last = min(len(conditions), ACROSS) - 1
        label_ends(axes[2 * last], _ends(conditions[last][1], look))
    return axes


def draw_measure(
    info: CurvesInfo, look: Mapping[str, Style], measure: str, condition: str, axes: Axes | None = None
) -> Axes:
    """One measure under one condition. axes: by default new ones, with names at the ends of the lines."""
    drawn = foremost(info.means[info.means["condition"] == condition], look)
    with drawing():
        spot = new_panels([1], 1, 4.2, 7.2)[0] if axes is None else axes
        _draw_panel(spot, drawn, info.lines(condition), measure, look)
        spot.set_xlabel("epoch")
        if info.means["condition"].nunique() > 1:
            spot.set_title(shortened(condition, 90))
        _share_scale([spot], MEASURES[measure])
        name_curves(spot, _ends(drawn, look, measure), alone=axes is None)
    return spot


def _draw_panel(
    panel: Axes, means: pd.DataFrame, lines: pd.DataFrame | None, measure: str, look: Mapping[str, Style]
) -> None:
    """The mean of each recipe by epoch; the runs behind it as thin lines, or a band where there are none to draw."""
    panel.grid(axis="y")
    for recipe, curve in means.dropna(subset=[measure]).groupby("recipe", sort=False):
        style = look[str(recipe)]
        with marked(panel, style):
            if lines is None:
                low, high = (curve[measure] + side * curve[f"{measure}_sd"].fillna(0) for side in (-1, 1))
                panel.fill_between(curve["epoch"], low, high, color=style.color, alpha=0.11, linewidth=0)
            else:
                own = lines[lines["recipe"] == recipe].dropna(subset=[measure])
                for _, run in own.groupby("seed", sort=False):
                    panel.plot(run["epoch"], run[measure], color=style.color, linewidth=0.5, alpha=0.3)
            panel.plot(curve["epoch"], curve[measure], **line_of(style, len(curve)))


def _ends(
    condition: pd.DataFrame, look: Mapping[str, Style], measure: str = "val_accuracy"
) -> list[tuple[float, float, str, Style]]:
    """Where each recipe's line ends."""
    last = condition.dropna(subset=[measure]).groupby("recipe", sort=False)[["epoch", measure]].last()
    places = zip(map(str, last.index), last.to_numpy(float).tolist(), strict=True)
    return [(epoch, accuracy, recipe, look[recipe]) for recipe, (epoch, accuracy) in places]


def _new_axes(conditions: int) -> list[Axes]:
    """Two rows of axes to a band of at most three conditions."""
    bands, across = -(-conditions // ACROSS), min(conditions, ACROSS)
    made = figure(4.7 * bands, min(WIDTH, 2.0 + 4.0 * across))
    made.get_layout_engine().set(hspace=0.05, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    grid = made.subplots(2 * bands, across, squeeze=False, height_ratios=[3, 2] * bands)
    pairs = [pair for band in range(bands) for pair in zip(grid[2 * band], grid[2 * band + 1], strict=True)]
    for empty in (axes for pair in pairs[conditions:] for axes in pair):
        empty.set_visible(False)
    return [axes for pair in pairs[:conditions] for axes in pair]


def _share_scale(row: Sequence[Axes], name: str) -> None:
    """One scale for all conditions, named on the left edge."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(axes.get_ylim()[0] for axes in row), max(axes.get_ylim()[1] for axes in row)
    for index, axes in enumerate(row):
        first = index % ACROSS == 0
        axes.set(ylim=(low, high), ylabel=name if first else "")
        axes.tick_params(labelleft=first)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.margins(x=0.01)
