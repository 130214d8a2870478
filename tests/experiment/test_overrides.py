"""`--set FIELD=VALUE`: what is read, that nothing is run, and that mistakes are those of the file, all at once."""

from dataclasses import fields, replace

import pytest
from made_up import question

from ablation import (
    SGD,
    Adam,
    Brightness,
    Cosine,
    Experiment,
    Fixed,
    ImageFolder,
    InputError,
    Paired,
    RandomResizedCrop,
)
from ablation.experiment.overrides import SETTABLE, changes, overridden, read_overrides


@pytest.fixture
def experiment() -> Experiment:
    return question()


def set_to(experiment: Experiment, *texts: str) -> Experiment:
    return overridden(experiment, read_overrides(texts))


VALUES = {
    "a number": ("epochs=5", {"epochs": 5}),
    "a number with a point": ("lr=1e-3", {"lr": 0.001}),
    "a negative number is read, too": ("weight_decay=+0.1", {"weight_decay": 0.1}),
    "a bare word": ("model=resnet18", {"model": "resnet18"}),
    "a text in quotes": ("metric='macro_f1'", {"metric": "macro_f1"}),
    "a call": ("split=Fixed(0.6, 0.2, 0.2)", {"split": Fixed(0.6, 0.2, 0.2)}),
    "a call by names": ("schedule=Cosine(warmup=2)", {"schedule": Cosine(warmup=2)}),
    "a call without arguments": ("test=Paired()", {"test": Paired()}),
    "a tuple without brackets": ("seeds=0,1,2", {"seeds": (0, 1, 2)}),
    "a list": ("seeds=[4, 5, 6]", {"seeds": (4, 5, 6)}),
    "none": ("test=None", {"test": None}),
    "true": ("robustness=True", {"robustness": True}),
    "blanks": (" epochs = 5 ", {"epochs": 5}),
    "a path": ("data=ImageFolder('photos')", {"data": ImageFolder("photos")}),
    "a dict of calls": (
        "recipes={'none': (), 'crop': (RandomResizedCrop(scale=(0.5, 1)),)}",
        {"recipes": {"none": (), "crop": (RandomResizedCrop(scale=(0.5, 1.0)),)}},
    ),
    "a dict of optimizers": ("optimizers={'sgd': SGD(lr=0.1)}", {"optimizers": {"sgd": SGD(lr=0.1)}}),
    "levels": ("vary={'dropout': (0.0, 0.3)}", {"vary": {"dropout": (0.0, 0.3)}}),
    "a sentence": ("question=Is (it) so?", {"question": "Is (it) so?"}),
    "a call in a sentence": ("question=Cosine(1)", {"question": "Cosine(1)"}),
    "a number as a text": ("question=2026", {"question": "2026"}),
    "an equality sign in a text": ("question=a=b", {"question": "a=b"}),
}


@pytest.mark.parametrize(("text", "fields"), VALUES.values(), ids=VALUES)
def test_a_value_is_read_as_in_the_file(experiment, text, fields):
    assert set_to(experiment, text) == replace(experiment, **fields)


def test_a_set_of_recipes_can_be_made(experiment):
    texts = (
        "recipes=leave_one_out({'crop': RandomResizedCrop(), 'light': Brightness(0.4)}) | {'dark': (Brightness(0.2),)}"
    )
    made = set_to(experiment, texts).recipes
    assert list(made) == ["none", "all", "without crop", "without light", "dark"]
    assert made["without crop"] == (Brightness(0.4),)


def test_every_field_but_the_name_can_be_set():
    assert {field.name for field in fields(Experiment)} - set(SETTABLE) == {"name", "file"}


WRONG = {
    "a type": ("epochs=x", "epochs = 'x': expected a whole number"),
    "a sum is not computed": ("epochs=2*3", "epochs = '2*3': expected a whole number"),
    "a range": ("epochs=0", "epochs = 0: must be at least 1"),
    "a name": (
        "epoch=3",
        "an experiment has no field 'epoch'; did you mean 'epochs'? (`python -m pydoc ablation.Experiment` lists them)",
    ),
    "the name": (
        "name=other",
        "an experiment keeps its name, which is that of the folder of its runs; set other fields",
    ),
    "no value": ("epochs=", "expected a value after '='"),
    "no equality sign": ("epochs", "expected FIELD=VALUE, as epochs=5"),
    "no field": ("=5", "expected FIELD=VALUE, as epochs=5"),
    "an open bracket": ("split=Fixed(0.6,", "cannot be read: '(' was never closed"),
    "a class": ("schedule=Cosine", "write Cosine(...), with its fields"),
    "a misspelt class": ("split=Fixd(0.6)", "Fixd(...) is no value of ablation's; did you mean 'Fixed'?"),
    "a function that does things": ("recipes=sweep(1)", "sweep(...) is no value of ablation's"),
    "code": ("epochs=__import__('os').getpid()", "__import__('os').getpid(...) is no value of ablation's"),
    "a name within a call": ("optimizers={'adam': Adam(lr=x)}", "Adam(lr=x): expected numbers, texts in quotes"),
    "a star": ("split=Fixed(*(0.6, 0.2, 0.2))", "Fixed: '*' cannot be used here"),
    "a name twice": ("recipes={'a': (), 'a': ()}", "the name 'a' is given twice"),
    "a value's own rule": ("schedule=Cosine(warmup=-1)", "Cosine: warmup = -1: must be at least 0"),
    "a value's own field": ("schedule=Cosine(warmpu=1)", "Cosine has no field 'warmpu'; did you mean 'warmup'?"),
    "too many arguments": ("recipes=powerset(1, 2, 3)", "takes 1 positional argument but 3 were given"),
    "a path for the data": ("data=photos/", "`--data PATH` says where the images lie"),
    "a metric": ("metric=acuracy", "did you mean 'accuracy'?"),
    "brackets": ("epochs=" + "(" * 500, "cannot be read"),
    "a rule of the experiment": (
        "baseline=nnone",
        "baseline = 'nnone' is not one of the recipes; did you mean 'none'?",
    ),
    "a network": ("model=resnt18", "model = 'resnt18' is unknown; did you mean 'resnet18'?"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_says_which_option_and_what_is_allowed(experiment, text, message):
    with pytest.raises(InputError) as raised:
        set_to(experiment, text)
    (problem,) = raised.value.problems
    assert problem.where == f"--set {text[:120]}{' ...' * (len(text) > 120)}"
    assert message in problem.message


def test_nothing_that_is_written_is_run(experiment, tmp_path):
    file = tmp_path / "ran"
    for code in (
        f"open({str(file)!r}, 'w')",
        f"[open({str(file)!r}, 'w') for _ in 'a']",
        f"(lambda: open({str(file)!r}, 'w'))()",
    ):
        with pytest.raises(InputError):
            set_to(experiment, f"epochs={code}")
    assert not file.exists()


def test_all_mistakes_are_said_at_once(experiment):
    with pytest.raises(InputError) as raised:
        set_to(experiment, "epochs=x", "sed=3", "lr=-1", "seeds=3")
    assert [problem.where for problem in raised.value.problems] == ["--set epochs=x", "--set sed=3", "--set lr=-1"]
    with pytest.raises(InputError) as raised:
        set_to(experiment, "baseline=x", "model=y", "seeds=3")
    assert [problem.where for problem in raised.value.problems] == ["--set baseline=x", "--set model=y"]


def test_what_breaks_a_rule_together_is_named_together(experiment):
    assert set_to(experiment, "schedule=Cosine(warmup=5)").epochs > 5
    with pytest.raises(InputError) as raised:
        set_to(experiment, "schedule=Cosine(warmup=5)", "epochs=4")
    (problem,) = raised.value.problems
    assert problem.where == "--set schedule=Cosine(warmup=5) and --set epochs=4"


def test_a_field_that_varied_has_one_value_then(experiment):
    varied = replace(experiment, vary={"dropout": (0.0, 0.3), "epochs": (1, 2)})
    one = set_to(varied, "epochs=7")
    assert (one.epochs, dict(one.vary)) == (7, {"dropout": (0.0, 0.3)})
    assert {cell.spec.epochs for cell in one.cells("")} == {7}


def test_a_field_is_set_once(experiment):
    with pytest.raises(InputError, match="epochs is set twice"):
        set_to(experiment, "epochs=5", "epochs=6")
    with pytest.raises(InputError, match="`vary` is set to vary it"):
        set_to(experiment, "epochs=5", "vary={'epochs': (1, 2)}")


def test_a_changed_value_is_another_run_and_the_same_one_is_not(experiment):
    ids = {cell.spec.id for cell in experiment.cells("")}
    assert {cell.spec.id for cell in set_to(experiment, f"epochs={experiment.epochs}").cells("")} == ids
    assert not {cell.spec.id for cell in set_to(experiment, "epochs=99").cells("")} & ids
    assert {cell.spec.id for cell in set_to(experiment, "seeds=3").cells("")} < ids


def test_a_variant_is_known_by_what_it_changes(experiment):
    read = read_overrides(["seeds=3", "epochs=99", f"margin={experiment.margin}", "optimizers={'a': Adam(0.1)}"])
    assert changes(experiment, read) == ("epochs=99", f"optimizers={ {'a': Adam(0.1)}!r}", "seeds=3")
