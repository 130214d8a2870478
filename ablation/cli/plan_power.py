"""What `ablation plan` prints of power: what the design can detect, on what that rests, and what would detect more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.analysis.power import sd_interval
from ablation.cli.console import say
from ablation.cli.sections import show_table
from ablation.core.text import counted, opening
from ablation.core.values import label
from ablation.data.split import Fixed, Given, Redrawn, Split
from ablation.evidence.pairs import Condition
from ablation.evidence.power import PlannedPower, comparisons_of, differing, images_tested, is_share
from ablation.evidence.target import target_of
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.labels import condition_text
from ablation.experiment.preregistration import preregistration_of
from ablation.report import text as wording
from ablation.report.section import Column, Table
from ablation.training.cost.estimate import Images


def answer(experiment: Experiment, planned: Sequence[PlannedPower], pilot: str, baseline: str = "") -> str:
    """What could be detected, in a sentence or two; '' where nothing is compared.

    pilot: the command that trains one. baseline: the command that trains what is missing of the baseline's runs; ''
    where nothing is.
    """
    if not planned:
        return ""
    if len(experiment.seed_numbers) < MIN_SEEDS:
        return f"fewer than {MIN_SEEDS} seeds: there will be differences, and no verdict"
    metric, power = experiment.metric, min(planned, key=lambda one: one.smallest)
    if math.isnan(power.smallest):
        return (
            f"how much {METRICS[metric].title} varies over seeds is not known before the first runs, and so not what "
            f"these seeds could show; `{pilot}` measures it in two runs, --sd gives a guess"
        )
    design = f"{counted(power.seeds, 'seed')}, {spanned(power.test_images)} test images"
    if shows_nothing(experiment, power):
        return f"{_nothing(metric)}: {design}"
    if _beyond(experiment, power, power.at_best):
        return f"{_nothing(metric)}, however little seeds vary: {design}"
    if math.isnan(power.estimated.sd):
        return (
            f"cannot detect a difference below {wording.amount(power.at_best, metric)}, however little seeds vary: "
            f"{design}, {_assumptions(power)}; `{pilot}` trains two runs to know better"
        )
    if power.estimated.df == 1 or _beyond(experiment, power, power.smallest):
        return _little(experiment, power, baseline)
    sentence = f"detects a difference of {wording.amount(power.smallest, metric)} or more, 4 times in 5"
    if power.estimated.few:
        sentence = (
            f"detects a difference of {wording.points(power.as_estimated, metric)} to "
            f"{wording.amount(power.smallest, metric)}, as seeds vary like the few finished runs or as much as these "
            "cannot rule out"
        )
    at_best = ""
    if not math.isnan(power.at_best) and (power.estimated.few or power.estimated.df is None):
        at_best = (
            f"; none below {wording.points(power.at_best, metric)}, however little seeds vary ({_assumptions(power)})"
        )
    return f"{sentence}: {design}{at_best}"


def _beyond(experiment: Experiment, power: PlannedPower, difference: float) -> bool:
    """Can no two scores differ by so much? A difference of a metric without bounds is never beyond them."""
    bounded = experiment.metric in wording.WITHIN_ONE or is_share(experiment, power.estimated)
    return bounded and difference >= 1


def shows_nothing(experiment: Experiment, power: PlannedPower) -> bool:
    """Could no difference be detected, whatever it is? Of the few runs' upper limit that is not said."""
    return not power.estimated.few and _beyond(experiment, power, power.smallest)


def _nothing(metric: str) -> str:
    return f"even the largest difference that {METRICS[metric].title} can show would be detected less than 4 times in 5"


def _little(experiment: Experiment, power: PlannedPower, baseline: str) -> str:
    """What runs that are too few leave open, and what to do: no number that the metric cannot show."""
    metric, estimated = experiment.metric, power.estimated
    runs = estimated.origin.removeprefix("estimated from ").partition(",")[0]
    least = f"{wording.amount(power.at_best, metric)} (what {spanned(power.test_images)} test images allow)"
    if math.isnan(power.at_best):
        least = f"{wording.amount(power.as_estimated, metric)} (as seeds varied in these)"
    most = wording.amount(power.smallest, metric)
    if _beyond(experiment, power, power.smallest):
        most = f"more than {METRICS[metric].title} can show"
    more = "more seeds would say more"
    if baseline:
        more = f"{MIN_SEEDS} to 5 seeds of the baseline would say more, and are kept: `{baseline}`"
    return (
        f"{runs} say little: the smallest difference that {counted(power.seeds, 'seed')} detect is between {least} and "
        f"{most}; {more}"
    )


def _assumptions(power: PlannedPower) -> str:
    """Those of the floor: the accuracy, and how many photographs the two recipes answer differently."""
    score = power.floor.score or 0.0
    known = "an accuracy of" if power.estimated.score is not None else "assuming an accuracy of"
    return f"{known} {100 * score:.0f} %, and 1 in {1 / differing(score):.0f} images answered differently"


def warnings(experiment: Experiment, splits: Mapping[Condition, Split], parts: Mapping[Condition, Images]) -> list[str]:
    """Where one test photograph weighs more than the margin: what to do, with numbers."""
    margin = experiment.declared_margin
    if not is_share(experiment) or margin is None:
        return []
    found: dict[str, None] = {}
    for condition, split in splits.items():
        images = parts[condition]
        tested = images_tested(split, experiment.seed_numbers, images.cached, images.test)
        if 1 / tested > margin:
            found[_one_image(experiment.metric, margin, tested, split, images)] = None
    return list(found)


def _one_image(metric: str, margin: float, tested: int, split: Split, images: Images) -> str:
    needed = math.ceil(1 / margin - 1e-9)
    worth = (
        f"One of {tested:,} test images is worth {wording.amount(1 / tested, metric)}, more than the margin of "
        f"{wording.points(margin, metric)}, which needs at least {needed:,}"
    )
    return f"{worth}: {_more_images(split, images, needed) or _wider(needed, images)}"


def _more_images(split: Split, images: Images, needed: int) -> str:
    """How the same photographs give enough test images; '' where they are too few."""
    total = images.cached
    ways = []
    if isinstance(split, Given):
        ways.append(f"give the data's own test part {needed:,}")
    room = total - images.train - images.val
    if isinstance(split, Fixed | Redrawn) and room - isinstance(split, Redrawn) >= needed:
        ways.append(f"split={type(split).__name__}(..., test={math.ceil(100 * needed / total) / 100:g})")
    if not split.redraws_test and total >= needed:
        ways.append(f"split=KFold(5) tests all {total:,}, with 5 seeds or more")
    return "; or ".join(ways)


def _wider(needed: int, images: Images) -> str:
    total = images.cached
    if total >= needed:
        return "more seeds, so that more photographs are tested"
    margin = math.ceil(1000 / total) / 1000
    return f"more photographs than these {total:,}, or margin={margin:g} and split=KFold(5)"


def show_uncompared(
    experiment: Experiment, cells: Sequence[Cell], conditions: Sequence[Condition], planned: Sequence[PlannedPower]
) -> None:
    """Print where recipes cannot be compared, and where no difference would be significant, unless it is so of all."""
    lonely = [condition for condition in conditions if not any(condition in power.conditions for power in planned)]
    if len(experiment.recipes) > 1 and lonely:
        names = "; ".join(map(", ".join, lonely))
        say(f"nothing is compared under {names}: the baseline is not in the grid there", "yellow")
    nothing = [power for power in planned if shows_nothing(experiment, power)]
    if len(experiment.seed_numbers) >= MIN_SEEDS and len(nothing) < len(planned):
        for power in nothing:
            where = _where(experiment, cells, power)
            say(f"{where}: {_nothing(experiment.metric)}", "bold yellow")


def verdicts_hold(experiment: Experiment, planned: Sequence[PlannedPower]) -> str:
    """'Verdicts hold for new training and test photographs, 5 seeds.'; '' where there will be none."""
    if not planned or len(experiment.seed_numbers) < MIN_SEEDS:
        return ""
    margin = "" if experiment.declared_margin is not None else f" {opening(wording.NO_MARGIN)}."
    return f"Verdicts hold {target_of(experiment)}, {counted(planned[-1].seeds, 'seed')}.{margin}"


def show_power(experiment: Experiment, cells: Sequence[Cell], planned: Sequence[PlannedPower]) -> None:
    """Print how recipes are compared; then what that could show, and on what that rests."""
    seeds, metric, margin = len(experiment.seed_numbers), experiment.metric, experiment.declared_margin
    within = f"equivalent within {wording.margin_text(experiment)} of {METRICS[metric].title}"
    say(
        f"each recipe against {experiment.baseline!r} by {label(experiment.declared_test)} on {metric}, "
        f"{seeds} seeds; {wording.corrected_by(experiment, comparisons_of(planned))}; "
        f"alpha {experiment.alpha:g}, {wording.NO_MARGIN if margin is None else within}; "
        f"plan {preregistration_of(experiment, cells).hash}"
    )
    if seeds < MIN_SEEDS or not planned or all(math.isnan(power.smallest) for power in planned):
        return
    show_table(_table(experiment, cells, planned))
    for sentence in dict.fromkeys(_few(experiment, power) for power in planned if power.estimated.few):
        say(sentence)
    say(_sources(experiment, planned))


def _table(experiment: Experiment, cells: Sequence[Cell], planned: Sequence[PlannedPower]) -> Table:
    """What the design could detect, and how many seeds smaller differences need."""
    metric, test = experiment.metric, experiment.declared_test

    def comparison(power: PlannedPower) -> str:
        recipes = power.recipes[0] if len(power.recipes) == 1 else f"{len(power.recipes)} recipes"
        return f"{recipes} {_where(experiment, cells, power)}"

    def needed(index: int) -> Callable[[PlannedPower], str]:
        return lambda power: f"{power.needed[index][1]:,}" if power.needed[index][1] else "> 1,000"

    def sd(power: PlannedPower) -> str:
        largest = 1.0 if test.paired else 0.5
        too_large = _beyond(experiment, power, power.spread.of(test) / largest)
        return f"> {wording.points(largest, metric)}" if too_large else wording.points(power.spread.of(test), metric)

    smaller = [f"seeds for {wording.points(difference, metric)}" for difference, _ in planned[0].needed]
    at_best = all(math.isnan(power.estimated.sd) for power in planned)
    columns: dict[str, Column] = {
        "comparison": ("comparison", comparison),
        "seeds": ("seeds", lambda power: str(power.seeds)),
        "test images": ("test images", lambda power: spanned(power.test_images)),
        "sd": ("sd", sd),
        "detects": (
            "detects at least" if at_best else "detects",
            lambda power: _detected(experiment, power, power.smallest),
        ),
        **{name: (name, needed(index)) for index, name in enumerate(smaller)},
    }
    nothing = any(_beyond(experiment, power, power.smallest) for power in planned)
    title = METRICS[metric].title
    caption = (
        f"in {METRICS[metric].unit or title}; sd: over seeds{' of a paired difference' * test.paired}, "
        f"{'; '.join(dict.fromkeys(power.spread.origin for power in planned))}; detects: the smallest difference that "
        f"one comparison shows with 80 % power after correction{f' (none: more than {title} can show)' * nothing}; "
        f"seeds for {smaller[-1].removeprefix('seeds for ') if smaller else '...'}: how many detect a difference of "
        f"that size with the same power{', at least' * at_best}"
    )
    return Table.of(columns, planned, caption, keep=("detects", *smaller), spare=("test images", "seeds", "sd"))


def _detected(experiment: Experiment, power: PlannedPower, difference: float) -> str:
    """The smallest difference that is detected, as '8.6'; 'none' where no two scores differ by so much."""
    return "none" if _beyond(experiment, power, difference) else wording.points(difference, experiment.metric)


def _few(experiment: Experiment, power: PlannedPower) -> str:
    """How badly an sd of few runs is known."""
    estimated, metric, test = power.estimated, experiment.metric, experiment.declared_test
    sd = estimated.of(test)
    low, high = sd_interval(sd, estimated.df or 1)
    planned = power.spread.of(test)
    which = "its upper limit at 80 %" if planned > power.floor.of(test) or math.isnan(power.floor.sd) else "the floor"
    largest = 1.0 if test.paired else 0.5  # of differences from -1 to 1, of scores from 0 to 1

    def beyond(size: float) -> bool:
        return _beyond(experiment, power, size / largest)

    span = f"{wording.points(low, metric)} or as large as {METRICS[metric].title} allows"
    if not beyond(high):
        span = f"{wording.points(low, metric)} to {wording.points(high, metric)}"
    taken = f"{which}, {wording.points(planned, metric)}"
    if beyond(planned):
        taken = f"more than {METRICS[metric].title} allows, which is {which}"
    return (
        f"The sd, {estimated.origin}, is {wording.points(sd, metric)}; with so few it may be {span} (95 %). This plan "
        f"takes {taken}."
    )


def _sources(experiment: Experiment, planned: Sequence[PlannedPower]) -> str:
    """What varies in this design, so that a verdict holds for it, and what that costs."""
    target, power = target_of(experiment), planned[-1]
    sentences = [verdicts_hold(experiment, planned)]
    if target.images and not math.isnan(power.on_these_images):
        guessed = "" if power.spread.images is not None else " (how much they matter is assumed)"
        sentences.append(
            f"It detects {_detected(experiment, power, power.smallest)}; with the test photographs taken as given it "
            f"would detect {_detected(experiment, power, power.on_these_images)}{guessed}."
        )
    if not math.isnan(power.without_overlap):
        sentences.append(
            "Training parts of different seeds share photographs; if they shared none it would detect "
            f"{_detected(experiment, power, power.without_overlap)}: train on fewer, or give more photographs."
        )
    if not target.training:
        sentences.append(
            "Which photographs are trained on does not vary; split=Redrawn(...) redraws them for each seed."
        )
    return " ".join(sentences)


def _where(experiment: Experiment, cells: Sequence[Cell], power: PlannedPower) -> str:
    """'under adam', 'under each of 2 conditions', 'pooled over 2 conditions'."""
    if len(power.conditions) == 1:
        levels = next(cell.factors for cell in cells if cell.condition == power.conditions[0])
        condition = {factor: level for factor, level in levels.items() if factor != "recipe"}
        return f"under {condition_text(condition, experiment)}"
    return f"{'pooled over' if power.pooled else 'under each of'} {len(power.conditions)} conditions"


def spanned(numbers: Sequence[int]) -> str:
    """'120', '100 to 120'."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
