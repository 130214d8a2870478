"""What a command imports is what it uses: a person waits for every library that is loaded for nothing."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "mlflow", "sklearn", "statsmodels", "matplotlib", "joblib", "jinja2", "typst")
TABLES = ("pandas", "scipy")
SCRIPT = """
import json, sys
from ablation.cli.main import main
sys.argv[0] = "ablation"
try:
    main()
finally:
    print(json.dumps([name for name in sys.modules if "." not in name]), file=sys.stderr)
"""


def loaded(folder, environment, *command):
    """The libraries that the command loads, in a process of its own."""
    call = [sys.executable, "-c", SCRIPT, *command]
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("command", "banned"),
    [
        ("list", {*HEAVY, *TABLES}),
        ("status small", {*HEAVY, "scipy"}),
        ("plan small", set(HEAVY)),
        ("compare small", {*HEAVY} - {"statsmodels"}),
        ("run small --no-tracking", {*HEAVY} - {"statsmodels"}),
        ("run small --no-tracking --device cuda:99", {*HEAVY} - {"statsmodels"}),
        ("cache ls", {*HEAVY, *TABLES}),
    ],
)
def test_a_command_that_trains_nothing_loads_only_what_it_uses(finished, environment, command, banned):
    found = loaded(finished.folder, environment, *command.split())
    assert "click" in found
    assert not found & banned
