"""Photographs side by side: their sizes, their pixels, and the room of those that are missing."""

import io

import numpy as np
import pytest
from PIL import Image

from ablation.core.seeds import stream
from ablation.report.photographs import FRAME, GAP, STRIP_TILE, encoded, join, photograph_strip, scaled
from ablation.report.render import html
from ablation.report.section import Strip
from ablation.report.style import data_uri


def noise(side: int, count: int = 5) -> np.ndarray:
    return stream(0, "strip", side).integers(0, 256, size=(count, side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize(("side", "shown"), [(8, 192), (12, 192), (28, 168), (64, 192), (100, 192), (300, 192)])
def test_tiny_pictures_are_enlarged_by_whole_pixels_and_others_brought_to_the_tile(side, shown):
    pictures = noise(side)
    made = scaled(pictures, STRIP_TILE)
    assert made.shape[1:] == (shown, shown, 3)
    if side <= 64:
        factor = shown // side
        for offset in (0, factor - 1):
            np.testing.assert_array_equal(made[:, offset::factor, offset::factor], pictures)


def test_tiles_are_joined_unchanged_between_white():
    tiles = noise(30)
    strip, side = join(tiles), 30 + 2 * FRAME
    pitch = side + round(GAP * side)
    for index, tile in enumerate(tiles):
        inner = strip[FRAME:-FRAME, index * pitch + FRAME : index * pitch + FRAME + 30]
        np.testing.assert_array_equal(inner, tile)
    assert (strip[:, side:pitch] == 255).all()
    assert strip.shape[1] == 4 * pitch + side


def test_a_strip_of_tiny_pictures_stays_exact_and_one_of_photographs_small():
    content, kind = encoded(noise(12))
    assert kind == "png"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), join(scaled(noise(12), STRIP_TILE)))
    assert data_uri(content, kind).startswith("data:image/png;base64,iVBOR")
    content, kind = encoded(noise(300))
    assert kind == "jpeg"
    assert Image.open(io.BytesIO(content)).size[1] == STRIP_TILE + 2 * FRAME


def test_the_picture_of_a_strip_is_made_once_for_all_renderings():
    made: list[int] = []

    def encode() -> tuple[bytes, str]:
        made.append(1)
        return b"content", "png"

    strip = Strip("crop", "about", ("a",), ((),), encode, "alt")
    assert [strip.picture, strip.picture] == [(b"content", "png")] * 2
    assert html.picture(strip, {}) == data_uri(b"content", "png")
    assert made == [1]


def test_strips_of_fewer_photographs_are_as_wide_with_white_at_the_end():
    few = photograph_strip(noise(16, 2), ("a", "b"), [("one", "two"), ("three",)], "crop", "about", "alt", columns=6)
    many = photograph_strip(noise(16, 6), ["h"] * 6, [()] * 6, "none", "", "alt", columns=6)
    pixels = [np.asarray(Image.open(io.BytesIO(strip.encode()[0]))) for strip in (few, many)]
    assert pixels[0].shape == pixels[1].shape
    end = 2 * (pixels[0].shape[0] + round(GAP * pixels[0].shape[0]))
    assert (pixels[0][:, end:] == 255).all()
    assert (pixels[0][:, :end] != 255).any()
    assert few.headings == ("a", "b", "", "", "", "")
    assert few.words == (("one", "two"), ("three",), (), (), (), ())
    assert len(many.headings) == len(many.words) == 6
