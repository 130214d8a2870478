"""Experiment files are found by name and read with every mistake in them told, each with its line."""

from pathlib import Path

import pytest

from ablation.core.errors import InputError
from ablation.experiment.experiment import Experiment
from ablation.experiment.files import experiment_names, find, read

SHIPPED = Path(__file__).parents[2] / "experiments"

WHOLE = '''"""Does brightness help?

More about it.
"""
from ablation import Adam, Brightness, Digits, Experiment

experiment = Experiment(
    name="light",
    data=Digits(),
    recipes={"none": (), "light": (Brightness(0.4),)},
    optimizers={"adam": Adam()},
    baseline="none",
)
'''


@pytest.fixture
def file(tmp_path):
    """A function that writes an experiment file."""

    def write(source: str) -> Path:
        path = tmp_path / "light.py"
        path.write_text(source, "utf-8")
        return path

    return write


def problems_in(path: Path) -> list[str]:
    """What `read` says, with the file's folder left out."""
    with pytest.raises(InputError) as raised:
        read(path)
    return [str(problem).replace(str(path), "light.py") for problem in raised.value.problems]


def test_a_file_gives_its_experiment_and_the_question_of_its_docstring(file):
    read_file = read(file(WHOLE))
    assert isinstance(read_file.experiment, Experiment)
    assert (read_file.experiment.name, read_file.question) == ("light", "Does brightness help?")
    assert read_file.path.name == "light.py"


def test_a_file_without_a_docstring_asks_no_question(file):
    assert read(file(WHOLE[WHOLE.index("from ablation") :])).question == ""


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.py")), ids=lambda path: path.stem)
def test_every_shipped_experiment_loads(path):
    found = read(path)
    assert found.question.endswith("?")
    assert found.experiment.name == path.stem
    assert len(found.experiment.cells("0" * 16)) > 0
    assert found.experiment.smoke().name == f"{path.stem}-smoke"


def test_there_are_shipped_experiments_to_load():
    assert {"cats12", "quickstart"} <= set(experiment_names(SHIPPED))


def test_an_experiment_is_found_by_name_or_by_path(file):
    path = file(WHOLE)
    assert find("light", path.parent) == path
    assert find(str(path)) == path
    assert experiment_names(path.parent) == ["light"]


def test_a_file_with_an_underscore_is_no_experiment(file):
    path = file(WHOLE)
    path.rename(path.with_name("_light.py"))
    assert experiment_names(path.parent) == []


def test_an_unknown_name_is_answered_with_the_known_ones(file):
    folder = file(WHOLE).parent
    (folder / "other.py").write_text(WHOLE)
    with pytest.raises(InputError) as raised:
        find("ligth", folder)
    assert str(raised.value) == (f"there is no experiment 'ligth'; did you mean 'light'? ({folder}/ has light, other)")
    with pytest.raises(InputError, match="has no experiment; start in the project's folder"):
        find("light", folder / "nowhere")
    with pytest.raises(InputError, match=r"^there is no file nowhere/light\.py$"):
        find("nowhere/light.py")


def test_several_mistakes_are_told_together_each_with_its_line(file):
    source = (
        WHOLE.replace("Brightness(0.4)", "Brightness(-0.4)")
        .replace("Adam()", "Adam(lr=0, eps='small', momentum=0.9)")
        .replace('name="light"', 'name="light", epochs=0, modell="resnet18"')
    )
    assert problems_in(file(source)) == [
        "light.py:10: Brightness: brightness = -0.4: must be at least 0",
        "light.py:11: Adam has no field 'momentum' "
        "(its fields are lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay, decay_norm_and_bias)",
        "light.py:11: Adam: lr = 0: must be above 0",
        "light.py:11: Adam: eps = 'small': expected a finite number",
        next(
            problem
            for problem in problems_in(file(source))
            if "light.py:8: Experiment has no field 'modell'; did you mean 'model'?" in problem
        ),
        "light.py:8: Experiment: epochs = 0: must be at least 1",
    ]


def test_rules_between_fields_are_told_with_the_line_too(file):
    assert problems_in(file(WHOLE.replace('baseline="none"', 'baseline="nothing"'))) == [
        "light.py:12: Experiment: baseline = 'nothing' is not one of the recipes (none, light)"
    ]


def test_rules_are_told_beside_fields_that_do_not_fit(file):
    """But for those about the fields that do not fit, and those that cannot be asked."""
    wrong = WHOLE.replace('baseline="none"', 'baseline="non",\n    seeds="5",\n    epoch=3,\n    patience=3')
    told = problems_in(file(wrong))
    assert [problem.partition(": ")[0] for problem in told] == ["light.py:14", "light.py:13", "light.py:12"]
    assert "has no field 'epoch'; did you mean 'epochs'?" in told[0]
    assert told[1].endswith("seeds = '5': expected a whole number or a tuple of a whole number")
    assert "baseline = 'non' is not one of the recipes; did you mean 'none'?" in told[2]
    several = WHOLE.replace('baseline="none"', 'baseline="non", seeds="5", exclude=({"seeds": "x"},)')
    assert not any("exclude" in problem for problem in problems_in(file(several)))
    without = WHOLE.replace('baseline="none",', "recipes_=1, baseline=4,")
    assert len(problems_in(file(without))) == 2


def test_every_misspelt_import_is_told_with_its_line(file):
    source = WHOLE.replace("import Adam, Brightness", "import Adamm, Brightnes").replace(
        '"""\nfrom', '"""\nfrom ablation import Cosin\nfrom'
    )
    assert problems_in(file(source)) == [
        "light.py:5: ablation has no 'Cosin'; did you mean 'Cosine'?",
        "light.py:6: ablation has no 'Adamm'; did you mean 'Adam'?",
        "light.py:6: ablation has no 'Brightnes'; did you mean 'Brightness'?",
    ]


def test_every_module_that_is_not_there_is_told_with_what_to_write(file):
    imports = "from ablation.recipes import dose\nfrom ablation.no.such import thing\nfrom ablation.optim import SGD\n"
    assert problems_in(file(WHOLE.replace("from ablation", imports + "from ablation"))) == [
        "light.py:5: there is no module 'ablation.recipes'; write `from ablation import dose`",
        "light.py:6: there is no module 'ablation.no.such'",
    ]


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_a_file_may_have_classes_of_its_own(file, future):
    """Whether annotations are texts is the file's to say; where they are, dataclasses look them up in its module."""
    own = "from dataclasses import dataclass\n\n@dataclass\nclass Own:\n    number: int = 1\n\nOwn()\n"
    own += "" if future else "assert Own.__annotations__ == {'number': int}\n"
    source = WHOLE.replace("from ablation", future + "from ablation") + own
    assert read(file(source)).experiment.name == "light"


def test_an_error_of_this_program_is_told_in_its_own_words(file):
    source = WHOLE.replace("import Adam,", "import Adam, powerset,").replace(
        "recipes={", "recipes=powerset({'none': ()}) or {"
    )
    assert problems_in(file(source)) == [
        "light.py:10: a part may not be called 'none': the set has a recipe of that name, or could have"
    ]


def test_a_name_that_was_not_imported_is_told(file):
    assert problems_in(file(WHOLE.replace("(Brightness(0.4),)", "(Contrast(0.4),)"))) == [
        "light.py:10: 'Contrast' is not defined; add it to `from ablation import ...`"
    ]


def test_a_misspelt_class_is_told_with_its_name(file):
    assert problems_in(file(WHOLE.replace("(Brightness(0.4),)", "(Brightnes(0.4),)"))) == [
        "light.py:10: 'Brightnes' is not defined; did you mean 'Brightness'?"
    ]


def test_a_file_in_another_encoding_is_told(file):
    path = file(WHOLE)
    path.write_bytes(WHOLE.replace("Does", "D\u00f6es").encode("latin-1"))
    assert problems_in(path) == ["light.py: byte 4 is not UTF-8 text"]


def test_a_mistake_before_an_error_is_told_beside_it(file):
    assert problems_in(file(WHOLE.replace("Brightness(0.4)", "Brightness(-1), Blur()"))) == [
        "light.py:10: Brightness: brightness = -1: must be at least 0",
        "light.py:10: 'Blur' is not defined",
    ]


def test_a_syntax_error_is_told_with_its_line(file):
    (problem,) = problems_in(file(WHOLE.replace('baseline="none",', 'baseline="none')))
    assert problem.startswith("light.py:12: unterminated string literal")
    assert problems_in(file(WHOLE.replace('name="light",', 'name="light", name="dark",'))) == [
        "light.py:8: keyword argument repeated: name"
    ]


def test_an_error_in_the_file_is_told_with_its_line(file):
    assert problems_in(file(WHOLE + "\n\ndef f():\n    return 1 / 0\n\n\nf()\n")) == [
        "light.py:17: ZeroDivisionError: division by zero"
    ]
    assert problems_in(file("import no_such_module\n")) == [
        "light.py:1: ModuleNotFoundError: No module named 'no_such_module'"
    ]


def test_a_file_that_defines_no_experiment_is_told(file):
    expected = ["light.py: the file defines no `experiment = Experiment(...)`"]
    assert problems_in(file("x = 1\n")) == expected
    assert problems_in(file("experiment = 3\n")) == expected
