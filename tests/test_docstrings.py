"""Every public name has a docstring of whole sentences with an example, and the example runs."""

import doctest
import inspect

import numpy as np
import pytest

import ablation


def examples(name: str) -> list[doctest.Example]:
    """Those in the docstring of a public name, not those of its methods."""
    docstring = inspect.getdoc(getattr(ablation, name)) or ""
    return doctest.DocTestParser().get_examples(docstring)


@pytest.mark.parametrize("name", ablation.__all__)
def test_a_public_name_has_a_docstring_with_an_example(name):
    docstring = inspect.getdoc(getattr(ablation, name)) or ""
    assert docstring.split("\n", 1)[0].rstrip().endswith((".", ":")), f"{name}: the first line is a whole sentence"
    assert examples(name), f"{name}: an example, after >>>"


@pytest.mark.parametrize("name", ablation.__all__)
def test_the_example_runs(name, request, monkeypatch):
    """With every public name and numpy at hand; `experiment` and `results` are those of a small finished experiment."""
    known = {public: getattr(ablation, public) for public in ablation.__all__} | {"np": np}
    source = "".join(example.source for example in examples(name))
    if "experiment" in source or "results" in source:
        finished = request.getfixturevalue("finished")
        monkeypatch.chdir(finished.folder)
        known |= {"experiment": finished.experiment, "results": finished.results}
    tests = doctest.DocTest(examples(name), known, name, None, None, None)
    ended = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(tests)
    assert ended.failed == 0
