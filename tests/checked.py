"""Checks of small data sets, and what they and their pages say, for the tests of checks, words and pages."""

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from ablation.data import Fixed, ImageFolder, SkipBad
from ablation.data.check import Check, check
from ablation.report.data_check.findings import Finding, findings

PLAIN = {"cat": 8, "dog": 8}
"""Two classes of photographs without a defect, see `photos.folder`."""


def looked_at(root: Path, skip: bool = False, first_frame: bool = False) -> Check:
    """For the parts that it has, or else a split that few photographs are enough for."""
    source = ImageFolder(str(root), first_frame=first_frame)
    split = None if (root / "train").exists() else Fixed()
    return check(SkipBad(source) if skip else source, root.parent / "cache", split=split)


def texts(found: Check) -> list[str]:
    """Without what depends on every photograph: the notes on balance, light and sizes that are always there."""
    always = r"balanced|^brightness varies|^contrast varies|^nine of ten|^(a|the) test part|unusual"
    return [f"{finding.level}: {finding.text}" for finding in findings(found) if not re.search(always, finding.text)]


def saying(found: Check, words: str) -> Finding:
    """The one finding with these words."""
    (one,) = [finding for finding in findings(found) if re.search(words, finding.text)]
    return one


def tiles(html: str) -> int:
    return html.count('<figure class="tile">')


def photographs(html: str) -> list[np.ndarray]:
    """The pixels of those that stand in a page."""
    found = re.findall(r"src=\"data:image/(?:jpeg|png);base64,([^\"]+)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]
