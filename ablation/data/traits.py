"""Traits: what one photograph is, as numbers, measured when it is first read. Pillow and numpy; no torch.

The perceptual hash is made of the signs of the lowest 16 x 16 frequencies of the brightness (a DCT-II of 32 x 32
means), as in pHash (Zauner 2010), with zero instead of the median as threshold: mirroring a picture turns the sign of
every odd horizontal frequency and nothing else, so the hash of the mirrored picture is the hash, XOR `MIRROR`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ablation.data.decode import Photograph, decode
from ablation.data.published import digest_of

_SIDE, _LOW = 32, 16

TRAITS = np.dtype(
    [
        ("content", "S32"),  # digest of the file's bytes, or of an array
        ("pixels", "S32"),  # digest of the upright RGB pixels
        ("width", "<i4"),
        ("height", "<i4"),
        ("format", "S8"),  # by content; "" where the pixels came from memory
        ("mode", "S8"),  # Pillow's, before the conversion to RGB
        ("orientation", "<u1"),  # EXIF's, 1 is upright
        ("frames", "<i4"),
        ("transparent", "?"),
        ("grey", "?"),  # no colour, whatever the mode says
        ("mean", "<f8", 3),  # of each channel, in [0, 1]
        ("square", "<f8", 3),  # mean of the squares of each channel, in [0, 1]
        ("brightness", "<f8"),  # mean of the luma (ITU-R 601), in [0, 1]
        ("contrast", "<f8"),  # standard deviation of the luma, in [0, 1]
        ("highest", "<u2"),  # value of 16-bit pixels, see `ablation.data.decode.Photograph`; else 0
        ("plain", "<f4"),  # the most of it that is nearly of one brightness, see `PLAIN_LEVELS`; 1 is all
        ("hashed", "?"),  # whether the hash says anything
        ("hash", "<u8", 4),
    ]
)
"""One record a photograph."""

HASHED_FROM = 32
"""Pixels of the shorter side from which on a hash is made: below, distinct pictures (digits, icons) look alike."""

FLAT = 4.0
"""Levels of 256: where the 32 x 32 means vary less (standard deviation), the signs of a hash are noise."""

PLAIN_LEVELS = 9
"""Levels of 256 that are nearly one brightness: a plain ground in a JPEG has as many."""

_COLOURLESS = 8
"""The most levels of 256 between two channels of a grey picture, in 32 x 32 means: JPEG colours grey by that much."""


def transposed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return (N, 4) the hashes of pictures whose rows are made columns: horizontal frequencies become vertical ones."""
    bits = np.unpackbits(np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, _LOW * _LOW // 8), axis=1)
    turned = bits.reshape(-1, _LOW, _LOW).transpose(0, 2, 1).reshape(-1, _LOW * _LOW)
    return np.packbits(turned, axis=1).view("<u8")


def _mirror() -> NDArray[np.uint64]:
    odd = np.zeros((_LOW, _LOW), bool)
    odd[:, 1::2] = True
    return np.packbits(odd).view("<u8")


MIRROR = _mirror()
"""(4,) uint64: the bits that turn when a picture is mirrored."""

FLIP = transposed(MIRROR[None])[0]
"""The same when it is turned upside down by a mirror: those of odd vertical frequencies."""

_DCT = np.cos(
    np.pi / _SIDE * (np.arange(_SIDE)[None, :] + 0.5) * np.arange(_LOW)[:, None]
)  # (16, 32), DCT-II unnormalised


def traits_of(content: bytes, first_frame: bool = False, bit_depth: int | None = None) -> np.void:
    """Return the traits of a file's content. Raises Undecodable."""
    return _measure(decode(content, first_frame, bit_depth), digest_of(content))


def traits_of_array(pixels: NDArray[np.uint8]) -> np.void:
    """Return the traits of an (H, W, 3) array."""
    return _measure(Photograph(Image.fromarray(pixels), "", "RGB", 1, 1, False), digest_of(pixels))


def _measure(photograph: Photograph, content: str) -> np.void:
    image = photograph.image
    traits: np.void = np.zeros(1, TRAITS)[0]
    traits["content"], traits["pixels"] = content.encode(), digest_of(np.asarray(image)).encode()
    traits["width"], traits["height"] = image.size
    traits["format"], traits["mode"] = photograph.format.encode(), photograph.mode.encode()
    traits["orientation"], traits["frames"] = photograph.orientation, photograph.frames
    traits["transparent"], traits["highest"] = photograph.transparent, photograph.highest
    counts = np.array(image.histogram(), np.float64).reshape(3, 256) / (image.width * image.height)
    levels = np.arange(256) / 255
    traits["mean"], traits["square"] = counts @ levels, counts @ levels**2
    luma = image.convert("L")
    shares = np.array(luma.histogram(), np.float64) / (image.width * image.height)
    traits["brightness"] = shares @ levels
    traits["plain"] = np.convolve(shares, np.ones(PLAIN_LEVELS)).max()
    traits["contrast"] = math.sqrt(max(float(shares @ levels**2 - (shares @ levels) ** 2), 0))
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.int16)
    traits["grey"] = int(np.ptp(small, axis=2).max()) <= _COLOURLESS
    means = np.asarray(luma.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
    traits["hashed"] = min(image.size) >= HASHED_FROM and float(means.std()) >= FLAT
    traits["hash"] = perceptual_hash(means) if traits["hashed"] else 0
    return traits


def perceptual_hash(means: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return (4,) the 256 bits of the hash of (32, 32) means of the brightness; see the module."""
    signs = (_DCT @ (means - means.mean()) @ _DCT.T) > 0
    signs[0, 0] = False  # the mean brightness says nothing of what is shown
    return np.packbits(signs).view("<u8")
