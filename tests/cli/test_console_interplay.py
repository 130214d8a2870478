"""What the terminal prints of the interplay: the sentence, the tables and the notes, in 120 columns."""

from dataclasses import replace

import pytest
from made_up import question, results_of, usual

from ablation import Welch
from ablation.augment import Brightness
from ablation.cli.console_interplay import show_interplay
from ablation.data import Fixed
from ablation.experiment.experiment import Experiment
from ablation.optim import Adam
from ablation.report.sections.interaction import table as interplay_table
from ablation.report.sections.interaction.compute import interplay
from ablation.report.sections.interaction.text import sentence, title


def asked(**changes) -> Experiment:
    return replace(question(), split=Fixed(), test=Welch(), **changes)


def printed(results, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show_interplay(results)
    return capsys.readouterr().out.splitlines()


def test_it_prints_the_sentence_the_tables_the_ranks_and_the_notes(capsys):
    experiment = asked(vary={"batch_size": (16, 32), "dropout": (0.0, 0.3)})
    results = results_of(experiment, lambda cell: "failed" if cell.seed == 4 else usual(cell))
    told, lines = interplay(results), printed(results, capsys)
    shown = interplay_table.contrasts(told, experiment)
    assert lines[:2] == ["", title(told)]
    assert max(map(len, lines)) <= 120
    text = " ".join(" ".join(lines).split())
    for said in (
        sentence(told, experiment),
        interplay_table.ranks(told, experiment),
        interplay_table.contrasts_method(told, experiment),
        *interplay_table.notes(told, experiment),
    ):
        assert said in text
    assert len(shown) == 6
    for row in (*shown, *interplay_table.rows(told)):
        assert " ".join(filter(None, row.values())) in text
    assert not any(line.endswith((" 90", " p")) for line in lines)


def test_names_are_printed_as_they_are(capsys):
    experiment = replace(
        question(),
        split=Fixed(),
        test=Welch(),
        recipes={"none": (), "[red]x": (Brightness(0.4),), "dim": (Brightness(0.2),)},
    )
    assert "[red]x" in " ".join(printed(results_of(experiment), capsys))


def test_it_prints_nothing_where_nothing_varies(capsys):
    assert printed(results_of(asked(optimizers={"adam": Adam()})), capsys) == []
