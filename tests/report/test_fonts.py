"""Which fonts a report needs: none beside the usual, as few as possible, or a clear word on what is missing."""

import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from faults import record_fault
from made_fonts import made_collection, made_font
from made_up import question, results_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ablation.core.errors import InputError
from ablation.core.text import named
from ablation.evidence.study import Study
from ablation.report.fonts import DEFAULT, Fonts, default_characters, faces_of, fonts_for, texts_of
from ablation.report.render.write import write_report
from ablation.report.section import Figure as Shown
from ablation.report.section import Rows, Table
from ablation.report.style import drawing

CAT, DOG, BIRD = "\U000f0001", "\U000f0002", "\U000f0003"
"""Of an area for private use, so that no font of this machine has them."""


USUAL = (
    "plain",
    "Größe ≥ 3 × η²",
    "Ελλάδα",
    "кошка",
    "قطة",
    "חתול",
    "😀",
    "▲▼≈?…·○",
    "\N{MINUS SIGN}1 ± 2 \N{EN DASH}",
    "“a”",
)


@pytest.mark.parametrize("text", USUAL)
def test_the_usual_fonts_are_enough(text):
    assert fonts_for([text], system=False) == Fonts()


@pytest.mark.parametrize("text", [named("crop"), "a\u200db", "\u202eabc\u202c", "☺\ufe0f", "two\nlines", "a\u00adb"])
def test_what_shows_as_nothing_needs_no_font(text):
    assert fonts_for([text], system=False) == Fonts()


def test_what_no_font_has_is_said_with_its_script_and_what_to_install():
    with pytest.raises(InputError) as told:
        fonts_for(["猫 and ก", "\U0001fae0"], system=False)
    assert str(told.value) == (
        "no font here shows 3 characters: ก (Thai), 猫 (CJK), \U0001fae0 (melting face); install one "
        "(Debian: fonts-noto-cjk, fonts-noto-core, fonts-symbola), or give its file with --font"
    )


def test_of_many_missing_characters_some_are_listed():
    with pytest.raises(InputError, match=r"shows 12 characters: 㐀 \(CJK\), .* and 4 more; install"):
        fonts_for(["".join(chr(0x3400 + number) for number in range(12))], system=False)


def test_a_font_that_is_given_shows_what_others_lack(tmp_path):
    path = made_font(tmp_path / "a.ttf", CAT)
    fonts = fonts_for([f"one {CAT}"], [path], system=False)
    assert fonts.families == (DEFAULT, "Made Up")
    assert [face.path for face in fonts.faces] == [path]


def test_a_font_that_is_not_needed_is_not_used(tmp_path):
    assert fonts_for(["one"], [made_font(tmp_path / "a.ttf", "one" + CAT)], system=False) == Fonts()


def test_as_few_fonts_as_possible(tmp_path):
    given = [
        made_font(tmp_path / f"{family}.ttf", characters, family)
        for family, characters in {"one": CAT, "two": DOG + BIRD, "three": CAT + DOG, "all": CAT + DOG + BIRD}.items()
    ]
    assert fonts_for([CAT + DOG + BIRD], given, system=False).families == (DEFAULT, "all")
    assert fonts_for([CAT + DOG + BIRD], given[:2], system=False).families == (DEFAULT, "two", "one")
    with pytest.raises(InputError, match="1 character: "):
        fonts_for([CAT + DOG + BIRD], [given[0], given[2]], system=False)


def test_of_a_collection_the_font_that_has_it(tmp_path):
    path = made_collection(tmp_path / "all.ttc", {"first": "abc", "second": CAT})
    (face,) = fonts_for([CAT], [path], system=False).faces
    assert (face.index, face.family) == (1, "second")


def test_chinese_forms_come_from_the_region_of_the_text(tmp_path):
    families = {"Han JP": "猫のネ", "Han KR": "猫고양", "Han SC": "猫"}
    path = made_collection(tmp_path / "han.ttc", families)
    for text, family in {"猫": "Han SC", "猫の": "Han JP", "猫고": "Han KR"}.items():
        assert fonts_for([text], [path], system=False).families == (DEFAULT, family)


def test_a_file_that_is_no_font_is_named(tmp_path):
    (tmp_path / "a.ttf").write_text("no font")
    for path, why in {tmp_path / "a.ttf": "no font that can be read", tmp_path / "none.ttf": "No such file"}.items():
        with pytest.raises(InputError, match=f"--font {path}: .*{why}"):
            fonts_for(["a"], [path], system=False)


def test_a_report_refuses_what_is_no_font_whatever_its_names_need(tmp_path):
    """Before anything is written: nobody shall wonder why a font is not used."""
    study = Study(results_of(question()))
    (tmp_path / "a.ttf").write_text("root:x:0:0")
    emoji = made_font(tmp_path / "emoji.ttf", CAT, colour=True)
    given = {
        "a.ttf": "no font that can be read",
        "none.ttf": "No such file",
        emoji.name: "no outlines",
        ".": "directory",
    }
    for name, why in given.items():
        with pytest.raises(InputError, match=f"--font {tmp_path / name}: .*{why}"):
            write_report(study, out=tmp_path / "report", pdf=False, only=("effects",), fonts=[tmp_path / name])
    assert not (tmp_path / "report").exists()


def test_a_font_of_pictures_in_colour_is_refused(tmp_path):
    with pytest.raises(InputError, match="pictures in colour and no outlines"):
        fonts_for([CAT], [made_font(tmp_path / "emoji.ttf", CAT, colour=True)], system=False)


def test_the_boxes_of_a_font_of_last_resort_are_no_letters():
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    assert (folder / "LastResortHE-Regular.ttf").exists()
    assert faces_of(folder / "LastResortHE-Regular.ttf") == ()
    assert not default_characters() & {"ก", "猫"}


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_a_figure_draws_with_it(tmp_path, weight, caplog):
    """A black square where the letter is: no box, which is empty; no warning, which were an error, and no message."""
    path = made_font(tmp_path / "squares.ttf", CAT, f"Squares {weight}")
    with drawing(fonts_for([CAT], [path], system=False).families):
        figure = Figure(figsize=(2, 1), dpi=100)
        figure.text(0.1, 0.2, f"a{CAT}", fontsize=40, weight=weight, color="black")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    dark = np.asarray(canvas.buffer_rgba())[..., 0] < 128
    assert dark[:, 80:].mean(axis=0).max() > 0.3
    columns = dark.any(axis=0).nonzero()[0]
    square = dark[:, columns[-1] - 20 : columns[-1] - 5]
    rows = square.any(axis=1).nonzero()[0]
    assert square[rows[0] : rows[-1] + 1].all()
    assert len(rows) > 30
    assert not caplog.records


def test_a_font_of_the_system_is_searched(tmp_path, environment):
    """In a process of its own, since the system is asked once."""
    (tmp_path / "fonts").mkdir()
    made_font(tmp_path / "fonts" / "made.ttf", CAT, "Of the System")
    script = f"from ablation.report.fonts import fonts_for; print(fonts_for([{CAT!r}]).families)"
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "('DejaVu Sans', 'Of the System')"


def test_a_letter_that_only_the_upright_font_has_is_not_counted_on():
    """Names are bold, too."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    (regular,), (bold,) = faces_of(folder / "DejaVuSans.ttf"), faces_of(folder / "DejaVuSans-Bold.ttf")
    alone = regular.characters - bold.characters
    assert alone
    assert not alone & default_characters()


def test_every_text_of_a_value_is_read():
    table = Table({"key": "heading"}, (Rows(({"key": "cell"},), "group"),), "caption", words=frozenset({"words"}))
    figure = Shown({"data": ["inside"], "number": 3}, lambda data, look: None, "alt", "about")
    texts = set(texts_of([table, (figure, {"name": 1})]))
    assert {"key", "heading", "cell", "group", "caption", "words", "data", "inside", "alt", "about", "name"} <= texts


STANDS = """
import sys
from ablation.report import fonts, style
fonts.FC_LIST = float(sys.argv[1])
with style.drawing():
    style.figure(1.0)
print(len(fonts.font_manager().fontManager.ttflist) > 30, len(fonts._system_files()) > 0)
"""


@pytest.mark.skipif(not list(Path("/usr/share/fonts").rglob("*.ttf")), reason="no font in the usual folder")
def test_a_system_that_does_not_say_which_fonts_it_has_is_not_waited_for(tmp_path, environment):
    (tmp_path / "fc-list").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "fc-list").chmod(0o755)
    settings = {"PATH": f"{tmp_path}:{environment['PATH']}", "MPLCONFIGDIR": str(tmp_path / "settings")}
    command, since = [sys.executable, "-c", STANDS, "0.5"], time.monotonic()
    made = subprocess.run(command, env=environment | settings, capture_output=True, text=True, timeout=60, check=True)
    assert made.stdout == "True True\n", "those in the usual folders are there all the same"
    record_fault(
        "blocked", "`fc-list`, which matplotlib asks for fonts, never answers", 1, "it is not waited for",
        f"drawn after {time.monotonic() - since:.1f} s, with a limit of 0.5 s",
    )  # fmt: skip
