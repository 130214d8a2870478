"""What a check says, ranked: the verdict, the findings for the terminal and the page, and the JSON file. Draws nothing.

The sentences are those of `ablation.report.data_check.text`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ablation.core.text import counted
from ablation.core.values import label
from ablation.data.check import Check, Variation
from ablation.data.files import PARTS, printable
from ablation.data.sources import Digits, SkipBad, Source, Subset, TorchvisionData
from ablation.report.data_check.text import Finding, told

_GENERIC = ("train", "list", "labels", "train_list", "data", "images")
"""What people call a list that says nothing of the data: the folder around it does."""


def name_of(source: Source) -> str:
    """What people call the data: the folder that it lies in, or the name of its list."""
    if isinstance(source, SkipBad | Subset):
        return name_of(source.source)
    if isinstance(source, Digits):
        return "digits"
    if isinstance(source, TorchvisionData):
        return source.name
    path = Path(printable(source.path)).absolute()
    is_list = path.suffix != "" and not path.is_dir()
    if is_list and path.stem.lower() in _GENERIC:
        return path.parent.name or "data"
    return (path.stem if is_list else path.name) or "data"


def verdict(found: Check) -> str:
    """The check in one sentence."""
    levels = [finding.level for finding in findings(found)]
    errors, warnings = levels.count("error"), levels.count("warning")
    if errors:
        return f"not to be used as it is ({counted(errors, 'error')})"
    if warnings:
        return f"ready to be used, with {counted(warnings, 'thing')} to look at"
    return "ready to be used"


def findings(found: Check) -> tuple[Finding, ...]:
    """Everything that the check has to say: errors first, then warnings, then notes."""
    rank = ("error", "warning", "note")
    return tuple(sorted(told(found), key=lambda finding: rank.index(finding.level)))


def moments_line(found: Check) -> str:
    """Mean and standard deviation as a line of Python for torchvision."""
    assert found.moments is not None
    mean, std = (
        ", ".join(f"{channel:.4f}" for channel in moment) for moment in (found.moments.mean, found.moments.std)
    )
    return f"Normalize(mean=[{mean}], std=[{std}])"


def as_json(found: Check) -> dict[str, Any]:
    """Everything that was found, as JSON holds it."""
    json: dict[str, Any] = {
        "source": label(found.source),
        "verdict": verdict(found),
        "stops_a_run": stops(found),
        "findings": [asdict(finding) for finding in findings(found)],
        "files": found.named,
        "bad": [{"file": problem.where, "reason": problem.message} for problem in found.bad],
    }
    return json | (_data_as_json(found) if found.listing is not None else {})


def _data_as_json(found: Check) -> dict[str, Any]:
    data = found.listing
    assert data is not None
    assert found.moments is not None
    assert found.brightness is not None
    assert found.contrast is not None

    def named(rows: Iterable[int]) -> list[str]:
        return [data.names[row] for row in rows]

    return {
        "digest": data.digest,
        "images": len(data.labels),
        "classes": dict(zip(data.classes, found.counts.tolist(), strict=True)),
        "parts": {
            part: dict(zip(data.classes, counts.tolist(), strict=True)) for part, counts in found.part_counts.items()
        },
        "imbalance": found.imbalance,
        "mean": found.moments.mean,
        "std": found.moments.std,
        "formats": found.formats,
        "modes": found.modes,
        "width": _five(data.traits["width"]),
        "height": _five(data.traits["height"]),
        "aspect": _five(data.traits["width"] / data.traits["height"]),
        "misnamed": named(found.misnamed),
        "transparent": named(np.flatnonzero(data.traits["transparent"])),
        "several_frames": named(np.flatnonzero(data.traits["frames"] > 1)),
        "rotated": named(found.rotated),
        "grey": named(found.grey),
        "small": named(found.small),
        "extreme": named(found.extreme),
        "flat": named(found.flat),
        "brightness": _variation_as_json(found.brightness, data.names),
        "contrast": _variation_as_json(found.contrast, data.names),
        "copies": [
            {
                "exact": copies.exact,
                "across": copies.across,
                "files": named(copies.rows),
                "classes": [data.classes[data.labels[row]] for row in copies.rows],
                "parts": [PARTS[data.parts[row]] if data.parts[row] >= 0 else None for row in copies.rows],
            }
            for copies in found.copies
        ],
        "torn": [named(rows) for rows in found.torn],
    }


def _variation_as_json(varies: Variation, names: tuple[str, ...]) -> dict[str, Any]:
    far = {"low": [names[row] for row in varies.low], "high": [names[row] for row in varies.high]}
    return {"mean": varies.mean, "sd": varies.sd, **far}


def _five(values: Any) -> dict[str, float]:
    """Smallest, quartiles and largest."""
    names = ("least", "quarter", "median", "three_quarters", "most")
    return dict(zip(names, np.percentile(values, (0, 25, 50, 75, 100)).tolist(), strict=True))


def stops(found: Check) -> bool:
    """Whether anything found would stop a run."""
    return any(finding.level == "error" for finding in findings(found))
