"""The preview's picture: what a row says of itself, tiles pixel for pixel, and a page that holds all of it."""

import io

import numpy as np
import pytest
from PIL import Image

from ablation.core.seeds import stream
from ablation.report.photographs import join, scaled
from ablation.report.sections.pictures.strips import (
    AMPLIFICATIONS,
    TILE,
    PreviewInfo,
    PreviewRow,
    draw_preview,
    font,
    tied,
    wrapped,
)
from ablation.report.style import styles

HOSTILE = '<b>&"crop" costs $5_a$'


def row(side: int = 12, added: tuple[int, ...] = (0, 20, 40), captions: tuple[str, ...] = (), name: str = "crop"):
    """A grey picture of noise, and draws that are brighter by a number of levels each."""
    original = stream(0, "preview", side).integers(60, 120, size=(side, side, 3)).astype(np.uint8)
    draws = np.stack([original + np.uint8(more) for more in added])
    text = captions or tuple(f"brightness × 1.{more:02}" if more else "unchanged" for more in added)
    return PreviewRow(name, "Brightness(0.4)", original, draws, text)


def page(*rows: PreviewRow) -> np.ndarray:
    look = styles([text.recipe for text in rows], rows[0].recipe)
    return np.asarray(Image.open(io.BytesIO(draw_preview(PreviewInfo("title", "note", rows), look))))


def holds(page: np.ndarray, tile: np.ndarray) -> bool:
    """Whether the tile stands somewhere on the page, pixel for pixel."""
    view = np.lib.stride_tricks.sliding_window_view(page[:, :, 0], (1, tile.shape[1]))[:, :, 0]
    tops = np.argwhere((view == tile[0, :, 0]).all(axis=2))
    return any(np.array_equal(page[y : y + len(tile), x : x + tile.shape[1]], tile) for y, x in tops)


def test_the_difference_is_of_the_first_draw_that_differs_amplified_around_grey():
    text = row(added=(0, 0, 20, 40))
    assert text.changed == 2
    assert text.amplification == 4, "8 x 20 would leave the range"
    assert (text.difference == 128 + 4 * 20).all()
    assert text.words[-1] == ("draw 3 minus original", "amplified ×\u00a04", "mean change 7.8\u00a0%")


def test_a_draw_that_is_darker_makes_the_difference_darker_and_large_ones_are_clipped():
    darker = row(added=(256 - 50,))  # bytes wrap
    assert (darker.difference == 128 - 2 * 50).all()
    original = np.full((4, 4, 3), 250, np.uint8)
    black = PreviewRow("x", "", original, np.zeros((1, 4, 4, 3), np.uint8), ("inverted",))
    assert black.amplification == AMPLIFICATIONS[-1] == 1
    assert (black.difference == 0).all()
    assert black.words[-1] == ("draw 1 minus original", "mean change 98\u00a0%")


def test_nothing_changed_is_grey_and_says_so():
    text = row(added=(0, 0))
    assert text.changed is None
    assert (text.difference == 128).all()
    assert text.words == ((), ("unchanged",), ("unchanged",), ("no draw differs",))


def test_headings_words_and_tiles_stand_in_the_same_columns():
    text = row(captions=("crop 62 % · hue +75°", "62 % itself + 38 % (equalised, hue +9.0°)", "unchanged"))
    assert text.headings == ("original", "draw 1", "draw 2", "draw 3", "difference")
    assert text.words[1:3] == (
        ("crop 62\u00a0%", "hue +75°"),
        ("62\u00a0% itself", "+\u00a038\u00a0% (equalised, hue +9.0°)"),
    )
    assert len(text.words) == len(text.tiles) == len(text.headings)
    np.testing.assert_array_equal(text.tiles[[0, 2, 4]], np.stack([text.original, text.draws[1], text.difference]))


@pytest.mark.parametrize("side", [12, TILE])
def test_the_page_holds_every_tile_pixel_for_pixel(side):
    rows = (row(side, (0, 0), name="none"), row(side, (0, 30), name="brighter"))
    made = page(*rows)
    for text in rows:
        assert holds(made, join(scaled(text.tiles, TILE)))
    assert (made[0] == 255).all()
    assert (made[:, 0] == 255).all()
    assert (made[-1] == 255).all()


def test_the_page_grows_with_rows_and_captions_and_never_cuts_them():
    few, more = page(row(name="none")), page(*(row(name=f"recipe {index}") for index in range(12)))
    assert few.shape[1] == more.shape[1]
    assert more.shape[0] > 8 * few.shape[0] // 2
    long = tuple(" · ".join(["posterised to 3 bits"] * count) for count in (1, 9, 1))
    text = row(captions=long)
    assert page(text).shape[0] > few.shape[0] + 6 * 22
    assert (page(text)[:, -1] == 255).all()


def test_names_of_any_length_and_letters_are_drawn(recwarn):
    assert page(row(name=HOSTILE), row(name="x" * 300)).shape[1] == page(row()).shape[1]
    assert not recwarn.list


def test_text_is_wrapped_between_words_and_within_one_that_is_too_long():
    width = font("caption").getlength("brightness × 1.31")
    assert wrapped("brightness × 1.31", "caption", width) == ["brightness × 1.31"]
    assert wrapped("brightness × 1.31 more", "caption", width) == ["brightness × 1.31", "more"]
    narrow = font("caption").getlength("brightness")
    assert wrapped("crop brightness", "caption", narrow) == ["crop", "brightness"], "words that fit are whole"
    lines = wrapped("x" * 100, "caption", width)
    assert "".join(lines) == "x" * 100
    assert all(font("caption").getlength(line) <= width for line in lines)
    assert wrapped("", "caption", width) == [""]


def test_numbers_stay_with_their_units():
    assert tied("crop 62 %, 12 px right").split(" ") == ["crop", "62\u00a0%,", "12\u00a0px\u00a0right"]
    assert tied("< 0.1 %") == "<\u00a00.1\u00a0%"


def test_the_same_input_gives_the_same_bytes():
    info = PreviewInfo("title", "note", (row(),))
    assert draw_preview(info, styles(["crop"], "crop")) == draw_preview(info, styles(["crop"], "crop"))
