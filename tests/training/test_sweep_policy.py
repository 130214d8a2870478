"""Which runs a sweep is for: `--only`, by the names of the experiment file; each bad input with what is allowed."""

from dataclasses import replace

import pytest

from ablation import InputError, sweep
from ablation.experiment.selection import read_only
from ablation.training.crew import Training
from ablation.training.policy import Policy


def chosen(experiment, *only):
    ids = Policy(only=only).chosen(cells := experiment.cells(""))
    return [(*cell.factors.values(), cell.seed) for cell in cells if cell.spec.id in ids]


def test_without_only_every_run_is_chosen(tiny):
    assert len(chosen(tiny)) == 12


def test_only_holds_all_that_it_names_and_several_add_up(tiny):
    assert chosen(tiny, {"recipe": "crop", "optimizer": "sgd"}) == [("crop", "sgd", seed) for seed in range(3)]
    both = chosen(tiny, {"recipe": "none", "seed": 1}, {"optimizer": "adam", "seed": "2"})
    assert both == [("none", "adam", 1), ("none", "adam", 2), ("none", "sgd", 1), ("crop", "adam", 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recipe=crop", {"recipe": "crop"}),
        ("recipe=crop,optimizer=sgd", {"recipe": "crop", "optimizer": "sgd"}),
        (" recipe = crop , seed=0", {"recipe": "crop", "seed": "0"}),
        ("schedule=Cosine(warmup=5, final=0.1),recipe=a", {"schedule": "Cosine(warmup=5, final=0.1)", "recipe": "a"}),
        ("recipe=crop, brightness", {"recipe": "crop, brightness"}),
        ("recipe=a=b", {"recipe": "a=b"}),
    ],
)
def test_what_is_typed_may_hold_commas_and_signs_of_equality(text, expected):
    assert read_only(text) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("crop", "--only 'crop': expected FACTOR=LEVEL"),
        ("", "--only '': expected FACTOR=LEVEL"),
        ("=crop", "expected FACTOR=LEVEL"),
        ("recipe=a,recipe=b", "recipe is named twice; for two levels give --only twice"),
    ],
)
def test_what_is_no_choice_is_refused(text, error):
    with pytest.raises(InputError) as raised:
        read_only(text)
    assert error in str(raised.value)


def test_all_unknown_names_are_told_at_once_with_what_was_meant(tiny):
    with pytest.raises(InputError) as raised:
        chosen(tiny, {"recip": "crop"}, {"recipe": "corp", "seed": 7})
    assert [problem.message for problem in raised.value.problems] == [
        "only recip=crop (--only): no factor of that name; did you mean 'recipe'? (recipe, optimizer, seed)",
        "only recipe=corp (--only): no such recipe; did you mean 'crop'? (none, crop)",
        "only seed=7 (--only): no such seed (0, 1, 2)",
    ]


def test_a_cell_that_the_experiment_excludes_is_none(tiny):
    without = replace(tiny, exclude=({"recipe": "crop", "optimizer": "sgd"},))
    with pytest.raises(InputError, match=r"only recipe=crop, optimizer=sgd .* no run is like that"):
        chosen(without, {"recipe": "crop", "optimizer": "sgd"})


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_retries": -1}, r"max_retries = -1 \(--max-retries\): a whole number from 0"),
        ({"max_retries": True}, "max_retries = True"),
        ({"max_retries": 1.5}, "max_retries = 1.5"),
        ({"only": {"recipe": "crop"}}, "only = .*: a tuple of dicts"),
        ({"only": "recipe=crop"}, "only = .*: a tuple of dicts"),
        ({"timeout": 0}, r"timeout = 0 \(--timeout\): must be above 0 seconds"),
        ({"timeout": float("nan")}, "timeout = nan"),
        ({"timeout": 1e22}, r"timeout = 1e\+22 \(--timeout\): .* at most 31536000 \(365 days\)"),
        ({"grace": 3601}, r"grace = 3601 \(--grace\): .* at most 3600 \(1 hour\)"),
        ({"grace": float("nan")}, "grace = nan"),
        ({"device": "tpu"}, r"device = 'tpu' \(--device\): auto, cpu, cuda or cuda:N"),
        ({"cluster": ""}, r"cluster = '' \(--cluster\): write tcp://HOST:8786"),
        ({"cluster": "local:257"}, r"cluster = 'local:257' .* \(1 to 256 of them\)"),
        ({"cluster": 4}, "cluster = 4"),
        ({"grace": -1}, r"grace = -1 \(--grace\): must be at least 0 seconds"),
        ({"job": 2}, r"sweep has no option 'job'; did you mean 'jobs'\?"),
    ],
)
def test_a_sweep_refuses_what_cannot_be_before_it_reads_anything(tiny, tmp_path, options, error):
    with pytest.raises(InputError, match=error):
        sweep(tiny, tmp_path / "runs", tmp_path / "cache", **options)
    assert not list(tmp_path.iterdir())


def test_unknown_names_are_refused_before_the_data_is_read(tiny, tmp_path):
    with pytest.raises(InputError, match="no such recipe"):
        sweep(tiny, tmp_path / "runs", tmp_path / "cache", only=({"recipe": "crap"},))
    assert not list(tmp_path.iterdir())


def test_what_is_usual():
    assert (Training().timeout, Training().grace, Policy().max_retries) == (None, 8.0, 0)
