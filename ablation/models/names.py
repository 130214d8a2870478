"""The names of the networks that an experiment may ask for, known without importing torch.

Importing torchvision takes seconds, and planning a grid needs only to tell a name from a misspelt one; so the names are
read off the `@register_model()` lines of the installed torchvision's own source.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SHALLOW = "shallow_cnn"

_REGISTERED = re.compile(r"^@register_model\((?:name=)?[\"']?(\w*)[\"']?\)(?:\n@.*)*\ndef (\w+)", re.MULTILINE)
_NO_LINEAR_HEAD = ("squeezenet",)  # they classify by a convolution: no features "before the last linear layer"


@cache
def model_names() -> tuple[str, ...]:
    """Every classifier of the installed torchvision, and `shallow_cnn`."""
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return (SHALLOW,)
    folder = Path(spec.submodule_search_locations[0]) / "models"
    found = [
        name or function
        for file in folder.glob("*.py")
        for name, function in _REGISTERED.findall(file.read_text("utf-8"))
    ]
    return (SHALLOW, *sorted(name for name in found if not name.startswith(_NO_LINEAR_HEAD)))
