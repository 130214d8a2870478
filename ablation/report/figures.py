"""Figures of effects and results, each into one Axes: for a notebook, and for a figure of a paper.

They are those of the report, of the same data and by the same functions. Each takes `ax`, the Axes of matplotlib to
draw into, and returns it; without one it makes a figure of its own that pyplot knows, so that a notebook shows it.
matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ablation.core.errors import InputError, did_you_mean
from ablation.core.text import bare
from ablation.evidence.comparisons import Effects
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.report.charts import draw_intervals
from ablation.report.contents import SECTIONS, absent
from ablation.report.section import Figure
from ablation.report.sections.attribution.figure import draw_contributions
from ablation.report.sections.class_harm.figure import draw_harm
from ablation.report.sections.cost_pareto.figure import draw_costs
from ablation.report.sections.decision_curves.figure import KINDS, draw_kind
from ablation.report.sections.dose_response.figure import draw_doses
from ablation.report.sections.effects.figure import draw_heat
from ablation.report.sections.effects.section import forest as forest_of
from ablation.report.sections.effects.section import heat as heat_of
from ablation.report.sections.embedding.compute import map_of, mapped
from ablation.report.sections.embedding.figure import draw_maps
from ablation.report.sections.interaction.figure import draw_interaction
from ablation.report.sections.learning_curves import MEASURES, draw_measure
from ablation.report.sections.split_analysis.figure import draw_confusion, draw_gaps
from ablation.report.sections.train_size.figure import draw_sizes
from ablation.report.style import drawing, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Given = Results | Study
"""Results; or a `Study` of them, of which several figures take what was computed once."""


def forest(effects: Effects | Study, ax: Axes | None = None) -> Axes:
    """Draw each recipe's difference to the baseline with its interval, and each seed's difference as a dot.

    A line a recipe, under each condition and pooled; x: the difference in shown units (points of accuracy, nats); the
    shaded band is the margin of equivalence. A dot is a seed's difference to the baseline's run of the same seed, or to
    the baseline's mean where the declared test does not pair them. effects: what `compare` returns. ax: to draw into,
    by default a new figure with the numbers beside the lines.

    Raises InputError where there is no difference yet.

    >>> axes = forest(compare(results))
    >>> axes.get_xlabel()
    'difference to “none”, points of accuracy'
    """
    effects, experiment = _effects_of("forest", effects)
    figure = _known(forest_of(experiment, effects), "forest: no recipe has two finished seeds beside the baseline's")
    return _drawn(experiment, ax, draw_intervals, figure.data)


def mean_grid(effects: Effects | Study, ax: Axes | None = None) -> Axes:
    """Draw the mean score of each recipe under each condition as a heat map, darker is better.

    Each cell has the mean over seeds (accuracy in percent), and below it the difference to the baseline. effects: what
    `compare` returns. ax: to draw into, by default a new figure.

    Raises InputError where there is one condition only, or no run has finished.

    >>> mean_grid(compare(results))
    Traceback (most recent call last):
    ablation.core.errors.InputError: mean_grid: there is one condition, or no run has finished
    """
    effects, experiment = _effects_of("mean_grid", effects)
    figure = _known(heat_of(experiment, effects), "mean_grid: there is one condition, or no run has finished")
    return _drawn(experiment, ax, draw_heat, figure.data)


def learning_curves(
    results: Given,
    measure: Literal["val_accuracy", "train_loss"] = "val_accuracy",
    condition: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw validation accuracy (%) or training loss (nats) by epoch: a thick line a recipe, a thin line each seed.

    Thick lines are means over the seeds that finished. condition: its name, "adam" or "adam, dropout 0.3", by default
    the first of the grid; where there are several it is the title. ax: to draw into, by default a new figure.

    Raises InputError where no run has finished, and for a measure or a condition that there is not.

    >>> axes = learning_curves(results)
    >>> axes.get_ylabel(), len(axes.lines)  # two recipes of three seeds each, and their means
    ('validation accuracy (%)', 8)
    """
    study = _study(results)
    _one_of("learning_curves: measure", measure, MEASURES)
    info = _figure(study, "learning_curves").data
    conditions = list(map(str, info.means["condition"].unique()))
    chosen = conditions[0] if condition is None else condition
    _one_of("learning_curves: condition", chosen, conditions)
    return _drawn(study.experiment, ax, draw_measure, info, measure, chosen)


def interaction_plot(results: Given, panel: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the mean of each recipe under each level of a factor: where lines are parallel, nothing depends on it.

    x: the levels of the factor that the report puts across; y: the mean score with its interval. panel: where more than
    one factor varies, what the others are held at, "dropout 0.3", by default the first. ax: to draw into, by default a
    new figure.

    Raises InputError where nothing but the recipe varies, and for a panel that there is not.

    >>> interaction_plot(results)
    Traceback (most recent call last):
    ablation.core.errors.InputError: small has no section 'interaction': ...
    """
    study = _study(results)
    info = _figure(study, "interaction").data
    chosen = next(iter(info.panels)) if panel is None else panel
    _one_of("interaction_plot: panel", chosen, info.panels)
    return _drawn(study.experiment, ax, draw_interaction, replace(info, panels={chosen: info.panels[chosen]}))


def dose_curve(
    results: Given, magnitude: str | None = None, condition: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw scores against the dose of an operation: each seed as dots, their means, and the curve with its band.

    magnitude: which of the doses, by the name on its axis, by default the first. condition: which panel, by its title,
    by default the last, which is pooled where there are several. ax: to draw into, by default a new figure.

    Raises InputError where no recipes are doses of an operation, and for a magnitude or a condition that there is not.

    >>> dose_curve(results)
    Traceback (most recent call last):
    ablation.core.errors.InputError: small has no section 'dose_response': ...
    """
    study = _study(results)
    rows = {row.magnitude: row for row in _figure(study, "dose_response").data}
    row = rows[_one_of("dose_curve: magnitude", magnitude or next(iter(rows)), rows)]
    panels = {panel.curve.title: panel for panel in row.panels}
    panel = panels[_one_of("dose_curve: condition", condition or list(panels)[-1], panels)]
    return _drawn(study.experiment, ax, draw_doses, [replace(row, panels=(panel,))])


def size_curve(results: Given, recipe: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw a recipe's difference to the baseline against the number of training images, each seed as dots.

    recipe: by default the first. ax: to draw into, by default a new figure.

    Raises InputError where `train_size` does not vary, and for a recipe that is not drawn.

    >>> size_curve(results)
    Traceback (most recent call last):
    ablation.core.errors.InputError: small has no section 'train_size': ...
    """
    study = _study(results)
    info = _figure(study, "train_size").data
    panels = {panel.title: panel for panel in info.panels}
    panel = panels[_one_of("size_curve: recipe", recipe or next(iter(panels)), panels)]
    return _drawn(study.experiment, ax, draw_sizes, replace(info, panels=(panel,)))


def contributions(results: Given, ax: Axes | None = None) -> Axes:
    """Draw what each operation contributes to the recipes that combine them, with its interval.

    A line an operation, in shown units; hollow marks: added alone, and added to all the others. ax: to draw into, by
    default a new figure.

    Raises InputError where the recipes are no combinations of operations.

    >>> contributions(results)
    Traceback (most recent call last):
    ablation.core.errors.InputError: small has no section 'attribution': ...
    """
    study = _study(results)
    return _drawn(study.experiment, ax, draw_contributions, _figure(study, "attribution").data)


def split_gaps(results: Given, ax: Axes | None = None) -> Axes:
    """Draw the training and the test score of each recipe on one line: the gap between them is overfitting.

    Hollow marks are scores on training images without augmentation, filled ones on test images, means over all runs.
    ax: to draw into, by default a new figure with the numbers beside the lines.

    Raises InputError where no run has finished, or none kept its training predictions.

    >>> split_gaps(results).get_xlabel()
    'accuracy (%)'
    """
    study = _study(results)
    return _drawn(study.experiment, ax, draw_gaps, _figure(study, "split_analysis", draw_gaps).data)


def confusion_changes(results: Given, recipe: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how a recipe changes the confusion of classes: a row a true class, a column a prediction, in points.

    On the diagonal more is better, off it less is. recipe: by default the first that is drawn. ax: to draw into, by
    default a new figure.

    Raises InputError where there is none to draw, and for a recipe that is not drawn.

    >>> confusion_changes(results, "crop").get_xlabel()
    'predicted class'
    """
    study = _study(results)
    info = _figure(study, "split_analysis", draw_confusion).data
    chosen = _one_of("confusion_changes: recipe", recipe or next(iter(info.changes)), info.changes)
    return _drawn(study.experiment, ax, draw_confusion, replace(info, changes={chosen: info.changes[chosen]}))


def class_changes(results: Given, ax: Axes | None = None) -> Axes:
    """Draw how each recipe changes the recall of each class, in points: a line a class, a column a recipe.

    What is shown to be a harm or a gain has a sign and is bold. ax: to draw into, by default a new figure.

    Raises InputError where no recipe has finished beside the baseline.

    >>> [text.get_text() for text in class_changes(results).get_xticklabels()]
    ['crop']
    """
    study = _study(results)
    return _drawn(study.experiment, ax, draw_harm, _figure(study, "class_harm").data)


def decision_curves(results: Given, kind: Literal["macro", "confident"] = "macro", ax: Axes | None = None) -> Axes:
    """Draw the net benefit of each recipe's decisions against the threshold, as trained (Vickers and Elkin 2006).

    y: net true positives per 1,000 images, means over all runs. kind: each class against the rest, a mean over classes
    ("macro"), or acting on the prediction where its probability is at least the threshold ("confident"). ax: to draw
    into, by default a new figure.

    Raises InputError where no recipe has finished beside the baseline, and for another kind.

    >>> decision_curves(results).get_xlabel()
    'threshold t'
    """
    study = _study(results)
    _one_of("decision_curves: kind", kind, KINDS)
    return _drawn(study.experiment, ax, draw_kind, _figure(study, "decision_curves").data(), kind)


def tsne_map(results: Given, recipe: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw a t-SNE map of the test images in the features of one run of a recipe, in the colours of their classes.

    A map has no units, and may mislead: what is printed under it says how far it can be trusted, and how far the
    classes are apart in feature space. recipe: by default the first. ax: to draw into, by default a new figure with a
    legend of the classes. It takes some seconds.

    Raises InputError where no run has finished, and for a recipe without a map.

    >>> tsne_map(results, "crop").get_title(loc="left")
    'crop'
    """
    study = _study(results)
    of = mapped(study, study.experiment.recipes)
    if of is None:
        raise InputError("tsne_map: no run has finished, or its test images are too few for a map")
    chosen = _one_of("tsne_map: recipe", recipe or next(iter(of.arrays)), of.arrays)
    return _drawn(study.experiment, ax, draw_maps, map_of(study, of, chosen))


def cost_plot(results: Given, cost: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the mean score of each recipe against what it costs beside the baseline (%), and the Pareto front.

    cost: which of the costs that were measured, by the name on its axis, by default the first. ax: to draw into, by
    default a new figure.

    Raises InputError where no cost can be compared, and for another cost.

    >>> cost_plot(results).get_ylabel()
    'accuracy (%)'
    """
    study = _study(results)
    info = _figure(study, "cost_pareto").data
    panels = {panel.axis: panel for panel in info.panels}
    panel = panels[_one_of("cost_plot: cost", cost or next(iter(panels)), panels)]
    return _drawn(study.experiment, ax, draw_costs, replace(info, panels=(panel,)))


def _study(given: Given) -> Study:
    if not isinstance(given, Results | Study):
        raise TypeError(f"{type(given).__name__}: expected Results, or a Study of them")
    return given if isinstance(given, Study) else Study(given)


def _effects_of(name: str, given: Effects | Study) -> tuple[Effects, Experiment]:
    effects = given.effects if isinstance(given, Study) else given
    if not isinstance(effects, Effects):
        raise TypeError(f"{name}: {type(given).__name__}: expected what compare(results) gives")
    return effects, effects.experiment


def _known(figure: Figure | None, why: str) -> Figure:
    if figure is None:
        raise InputError(why)
    return figure


def _figure(study: Study, slug: str, draw: Callable[..., Any] | None = None) -> Figure:
    """The first figure of a section, or that which `draw` draws. Raises InputError where there is none."""
    section = SECTIONS[slug](study)
    if section is None:
        raise absent(study, slug)
    drawn = (one for one in section.figures if isinstance(one, Figure) and draw in (None, one.draw))
    why = bare(" ".join(section.answer[:1])) or "too few runs have finished"
    return _known(next(drawn, None), f"{study.experiment.name}: there is nothing to draw: {why}")


def _one_of(what: str, chosen: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    if chosen not in known:
        raise InputError(f"{what} = {chosen!r}{did_you_mean(chosen, known)} (there are {', '.join(map(repr, known))})")
    return chosen


def _drawn(experiment: Experiment, ax: Axes | None, draw: Callable[..., Any], data: Any, *options: str) -> Axes:
    """What a report's function draws, into the given Axes or into new ones, which pyplot then knows."""
    look, several = styles(experiment.recipes, experiment.baseline), draw in _OF_PANELS
    given = [ax] if several and ax is not None else ax
    with _fonts([data, *map(list, experiment.factors.values())]):
        drawn = draw(data, look, *options, given)
    axes: Axes = drawn[0] if several else drawn
    if ax is None:
        from matplotlib import pyplot

        pyplot.figure(axes.get_figure(root=True))
    return axes


@contextmanager
def _fonts(data: Any) -> Iterator[None]:
    """Within the block names are drawn with fonts of this machine that have their letters, where there are some."""
    from ablation.report.fonts import fonts_for, register, texts_of

    try:
        fonts = fonts_for(texts_of(data))
    except InputError:  # matplotlib says what it lacks, and draws boxes
        yield
        return
    register(fonts.faces)
    with drawing(fonts.families):
        yield


_OF_PANELS = (draw_interaction, draw_doses, draw_sizes, draw_confusion, draw_maps, draw_costs)
"""They take a sequence of axes, one a panel, and return one."""
