"""Modules of a person's own that several threads import at once. How commands find them: tests/cli/test_own_modules."""

import sys
import threading
from importlib import import_module
from pathlib import Path

from ablation.core import own_modules


def test_threads_that_import_the_same_module_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_modules, "_file", None)
    Path("of_two_threads.py").write_text("here = True\n")
    before, imported, (first_within, second_within, first_gone) = list(sys.path), [], (threading.Event() for _ in "123")

    def second():
        first_within.wait()
        with own_modules.importing():
            second_within.set()
            first_gone.wait()
            imported.append(import_module("of_two_threads").here)

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    with own_modules.importing():
        import_module("of_two_threads")
        first_within.set()
        assert not second_within.wait(0.2), "it waits for its turn"
    first_gone.set()
    thread.join()
    assert imported == [True]
    assert "of_two_threads" not in sys.modules
    assert sys.path == before
