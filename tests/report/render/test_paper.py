"""The table of a paper: its columns, numbers, caption and notes, before it is written in any form."""

import re
from dataclasses import replace

from made_up import question

from ablation.core.text import NONE, named, p_text, plain
from ablation.report import text as wording
from ablation.report.render.tables import latex, markdown
from ablation.report.sections.effects.paper import sheet


def test_columns_are_there_where_they_say_something(worked_out):
    always = ["recipe", "mean", "difference", "interval", "p_adjusted", "p_better", "verdict"]
    assert heads(*worked_out("pooled")) == [*always[:4], "new", *always[4:]]
    assert heads(*worked_out("some missing")) == ["recipe", "seeds", *always[1:4], "new", *always[4:]]
    assert heads(*worked_out("nothing finished")) == always
    assert heads(*worked_out("without a unit")) == always


def test_numbers_are_those_of_the_effects(worked_out):
    experiment, effects = worked_out("some missing")
    rows = [row for _, rows in sheet(experiment, effects).groups for row in rows]
    for effect, row in zip(effects, rows, strict=True):
        assert row["recipe"] == effect.recipe
        assert row["seeds"] == str(effect.seeds)
        assert row["difference"] == wording.points(effect.estimate, "accuracy", sign=True)
        assert row["interval"] == wording.interval(effect.low, effect.high, "accuracy", sign=False)
        assert row["new"] == wording.interval(effect.new_low, effect.new_high, "accuracy", sign=False)
        judged = wording.verdict_text(effect) not in ("not tested", "no verdict")
        assert row["p_adjusted"] == (p_text(effect.p_adjusted) if judged else NONE)
    chances = replace(effects[1], p_better=0.92, p_better_low=0.581, p_better_high=0.994)
    assert sheet(experiment, [chances]).groups[0][1][0]["p_better"] == "92 (58\N{EN DASH}99)"


def test_the_caption_tells_what_a_reviewer_asks(worked_out):
    assert plain(sheet(*worked_out("pooled")).caption) == (
        "Accuracy on test images, mean ± sd over 5 seeds, and its difference to the baseline “none”. "
        f"{wording.about_intervals(question())} New photos: as if tested on other photographs too, not corrected. "
        "Adjusted p: two-sided, Welch's t on the scores per seed (Welch 1947); 6 comparisons, corrected over the 2 "
        "pooled comparisons, which come first, and the other 4 behind them (gatekeeping by Bretz et al. 2009). "
        "P(better): the share of seeds in which the recipe is better than the baseline, with the interval of the "
        "chance that it is in a new seed. Verdicts: better or worse by this p, equivalent within ±1.0 points by two "
        "one-sided tests (Schuirmann 1987) corrected likewise; family-wise error 5 % for each kind. Pooled: the mean "
        "over the conditions, by seed. "
        "All of this holds for this split, on these test photographs, on this data, model and budget."
    )


def test_where_test_photographs_count_as_drawn_there_is_one_interval(worked_out):
    experiment, effects = worked_out("redrawn")
    assert "new" not in heads(experiment, effects)
    caption = sheet(experiment, effects).caption
    assert "New photos" not in caption
    assert "two-way random effects of seeds and test photographs" in caption
    assert caption.endswith("holds for new training and test photographs, on this data, model and budget.")


def test_failed_trainings_have_a_column_where_there_are_some(worked_out):
    experiment, effects = worked_out("failed trainings")
    assert heads(experiment, effects)[-2:] == ["failed", "verdict"]
    ((_, rows),) = sheet(experiment, effects).groups
    assert [row["failed"] for row in rows] == ["0 of 5", "1 of 5", "0 of 5"]
    assert "failed" not in heads(*worked_out("one condition"))


def test_the_caption_follows_the_experiment(worked_out):
    one = plain(sheet(*worked_out("one condition")).caption)
    assert "to the baseline “none”, under “adam”. " in one
    assert "Pooled" not in one
    lower = sheet(*worked_out("lower is better")).caption
    assert lower.startswith("Log loss on test images (lower is better), mean ± sd over 5 seeds")
    assert "within ±0.020 nats" in lower
    assert "with 99 % confidence" in sheet(*worked_out("without a unit")).caption
    assert "within ±0.010 by" in sheet(*worked_out("without a unit")).caption
    assert "mean ± sd over n of 5 seeds" in sheet(*worked_out("some missing")).caption
    assert "mean ± sd over 0 of 5 seeds" in sheet(*worked_out("nothing finished")).caption


def test_dunnett_is_told_as_such(worked_out):
    made = sheet(*worked_out("Dunnett"))
    assert made.heads["p_adjusted"] == ("Dunnett", "p")
    assert "Dunnett p: two-sided, Dunnett's test" in made.caption
    assert "all recipes of a condition together, Bonferroni's correction over conditions" in made.caption
    assert "Holm p" not in made.caption


def test_lower_is_better_keeps_its_sign_and_its_verdict(worked_out):
    experiment, effects = worked_out("lower is better")
    bright = next(line for line in latex(experiment, effects).splitlines() if line.startswith("bright"))
    assert re.search(r"& \$-\$0\.\d{3} & \$-\$0\.\d{3} to \$-\$0\.\d{3} & .*textbf{better}", bright)
    assert sheet(experiment, effects).heads["mean"] == ("log loss", "± sd in nats")


def test_notes_say_why_there_is_no_verdict(worked_out):
    experiment, effects = worked_out("some missing")
    made = sheet(experiment, effects, left_out=1)
    assert made.notes[:3] == (
        "† Not tested: pooled over conditions, no difference is shown.",
        "‡ Too few finished seeds.",
        "§ 1 run failed or diverged here: no verdict on those that are left.",
    )
    assert made.notes[-1] == "1 file of the data cannot be used and is left out."
    marks = {(plain(title), row["recipe"]): row["mark"] for title, rows in made.groups for row in rows}
    assert (marks["adam", "bright"], marks["adam", "contrast"]) == ("†", "")
    assert marks["sgd", "bright"] == marks["pooled over all conditions", "bright"] == "‡"
    assert marks["sgd", "contrast"] == "§"
    assert r"not tested\textsuperscript{\dag{}}" in latex(experiment, effects)
    assert "| no verdict‡ |" in markdown(experiment, effects)


def test_notes_tell_what_an_equivalence_rests_on(worked_out):
    experiment, effects = worked_out("alike")
    bright = next(effect for effect in effects if effect.recipe == "bright")
    alike = [replace(bright, verdict="equivalent", p_equivalent=0.0123), *effects[2:]]
    made = sheet(experiment, alike)
    assert made.notes[-1].startswith(f"Equivalence p: {named('bright')} .012 ({named('adam', recipe=False)})")
    assert "† The baseline's own runs under another name." in made.notes
    assert "same" not in made.notes[-1], "its verdict rests on no test"


def test_notes_have_marks_of_their_own_however_many_there_are(worked_out):
    experiment, effects = worked_out("pooled")
    many = [replace(effects[1], flag=f"operation {index} changed no picture", note="why") for index in range(12)]
    marks = [note.split()[0] for note in sheet(experiment, many).notes]
    assert len(set(marks)) == 13
    assert [marks[index] for index in (0, 4, 5, 10)] == ["†", "‖", "††", "†††"]


def test_a_recipe_left_out_somewhere_says_so(worked_out):
    notes = sheet(*worked_out("a recipe left out")).notes
    assert any(note.endswith("Over 1 of 2 conditions.") for note in notes)


def heads(experiment, effects):
    return list(sheet(experiment, effects).heads)
