"""`ablation ui` in a narrow terminal."""

from io import StringIO

from ablation.cli import ui
from ablation.cli.console import Terminal


def test_a_long_address_is_not_broken(monkeypatch):
    output = StringIO()
    monkeypatch.setattr(ui, "console", Terminal(width=80, force_terminal=True, file=output, color_system=None))
    address = "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=ablation"
    ui.say_unbroken(f"quickstart: {address}")
    assert output.getvalue() == f"quickstart: {address}\n"
