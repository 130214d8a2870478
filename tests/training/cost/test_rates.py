"""Rates: known ones come back from the fit, errors are those of networks left out, what is stored is read back."""

import json
import math
import platform
import re
from dataclasses import replace
from importlib.metadata import version

import pytest

from ablation.core.seeds import stream
from ablation.training.cost import rates
from ablation.training.cost.rates import Load, Machine, Point, Rates, fitted, gpus, outdated, remember, remembered

TRUE = Rates(2e-3, 1e-5, 3e-11, 5e-10, 2e-9, 0.0, 0.0)
NETWORKS = ["a", "a", "b", "b", "c", "c", "d", "e"]


def loads() -> list[Load]:
    draw = stream(0, "loads")
    return [Load(*(int(10 ** draw.uniform(low, low + 2)) for low in (1, 8, 6, 5))) for _ in NETWORKS]


def machine(measured: float = 1.0, device: str = "cpu", host: str | None = None, torch: str | None = None) -> Machine:
    point = Point("a", 32, 8, loads()[0], 0.5, loads()[1], 0.1, 300, 200)
    torch = torch or version("torch")
    return Machine(host or platform.node(), device, "float32", torch, 1, measured, TRUE, TRUE, (point,))


@pytest.fixture
def card(monkeypatch):
    """As on a machine with one GPU."""
    monkeypatch.setattr(rates, "gpus", lambda: 1)


@pytest.fixture
def no_card(monkeypatch):
    monkeypatch.setattr(rates, "gpus", lambda: 0)


def test_known_rates_come_back():
    found = fitted(NETWORKS, loads(), [TRUE.seconds(load) for load in loads()])
    for name in ("per_step", "per_call", "per_mac", "per_byte", "per_parameter"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=1e-6)
    assert found.largest_error < 1e-6


def test_seconds_are_the_sum_that_is_documented():
    load = Load(calls=100, macs=10**9, kept=10**7, parameters=10**6)
    assert TRUE.seconds(load) == pytest.approx(2e-3 + 100 * 1e-5 + 1e9 * 3e-11 + 1e7 * 5e-10 + 1e6 * 2e-9)


def test_no_rate_is_negative_and_errors_are_relative():
    seconds = [TRUE.seconds(load) * (1.3 if place % 2 else 0.7) for place, load in enumerate(loads())]
    found = fitted(NETWORKS, loads(), seconds)
    rates = (found.per_step, found.per_call, found.per_mac, found.per_byte, found.per_parameter)
    assert min(rates) >= 0
    scaled = fitted(NETWORKS, loads(), [1000 * second for second in seconds])
    assert scaled.typical_error == pytest.approx(found.typical_error, rel=1e-6)


def test_the_error_is_that_of_a_network_left_out():
    """One network is ten times slower than its load says: told by the others it is off by nine tenths."""
    seconds = [TRUE.seconds(load) for load in loads()]
    seconds[-1] *= 10
    assert fitted(NETWORKS, loads(), seconds).largest_error >= 0.899


def test_what_is_stored_is_read_back_and_the_newest_counts(tmp_path):
    assert remembered(tmp_path) is None
    remember(machine(2.0), tmp_path)
    remember(replace(machine(1.0), threads=2), tmp_path)
    assert remembered(tmp_path) == machine(2.0)
    remember(machine(3.0), tmp_path)
    assert remembered(tmp_path) == machine(3.0)


@pytest.mark.usefixtures("card")
def test_where_there_is_a_gpu_its_rates_count(tmp_path):
    remember(machine(1.0, "GPU"), tmp_path)
    remember(machine(2.0), tmp_path)
    assert remembered(tmp_path) == machine(1.0, "GPU")


@pytest.mark.usefixtures("no_card")
def test_a_gpu_that_is_gone_says_nothing_of_the_cpu(tmp_path):
    remember(machine(2.0, "GPU"), tmp_path)
    assert remembered(tmp_path) is None
    remember(machine(1.0), tmp_path)
    assert remembered(tmp_path) == machine(1.0)


def test_rates_of_other_software_do_not_count_and_are_named(tmp_path):
    remember(machine(9.0, torch="1.0"), tmp_path)
    remember(machine(9.0, torch="0.9", host="elsewhere"), tmp_path)
    assert remembered(tmp_path) is None
    assert outdated(tmp_path) == ("1.0",)
    remember(machine(1.0), tmp_path)
    assert remembered(tmp_path) == machine(1.0)


def test_what_an_older_version_of_this_program_measured_does_not_count_and_is_named(tmp_path):
    """As it was written in version 2: without the names of classes, and with other words."""
    file, words = tmp_path / "rates.json", "2.9.0, by an older version of ablation"
    form = {"host": platform.node(), "device": "cpu", "precision": "float32", "torch": "2.9.0", "version": 2}
    file.write_text(json.dumps({"here": form, "elsewhere": form | {"host": "elsewhere"}, "new": form | {"version": 9}}))
    assert remembered(tmp_path) is None
    assert outdated(tmp_path) == (words,)
    remember(machine(1.0, torch="1.0"), tmp_path)
    assert outdated(tmp_path) == ("1.0", words)


@pytest.mark.parametrize("chosen", ["", "-1"])
def test_a_gpu_that_is_hidden_from_the_process_is_none(monkeypatch, chosen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert gpus() == 0


def test_another_hosts_rates_are_left_to_it(tmp_path):
    remember(machine(9.0, host="elsewhere"), tmp_path)
    assert remembered(tmp_path) is None


def test_a_damaged_file_is_no_rates(tmp_path):
    path = remember(machine(), tmp_path)
    path.write_text(path.read_text()[:40])
    assert remembered(tmp_path) is None


def damaged(form: dict, *path: str) -> dict:
    """Without the field that the path leads to."""
    *ahead, last = path
    inner = form
    for name in ahead:
        inner = inner[name]
    inner.pop(last)
    return form


@pytest.mark.parametrize(
    "path",
    [("version",), ("measured",), ("host",), ("device",), ("evaluation",), ("training", "per_call"), ("points",)],
    ids=".".join,
)
def test_an_entry_without_a_field_is_no_rates(tmp_path, path):
    file = remember(machine(), tmp_path)
    (key, form), *_ = json.loads(file.read_text()).items()
    file.write_text(json.dumps({key: damaged(form, *path), "nothing": None, "words": {"training": "fast"}}))
    assert remembered(tmp_path) is None
    remember(machine(), tmp_path)
    assert remembered(tmp_path) == machine()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e-9", "true", "1e999", '"1"', "[]", "1" + "0" * 400])
@pytest.mark.parametrize("place", ["per_mac", "typical_error", "measured", "calls"])
def test_a_number_that_is_none_makes_no_rates(tmp_path, place, number):
    """JSON as Python reads it holds what is no finite number, too; a time of nan days would be told."""
    file = remember(machine(), tmp_path)
    told = re.sub(rf'"{place}": [^,\n}}]+', f'"{place}": {number}', file.read_text(), count=1)
    assert told != file.read_text()
    file.write_text(told)
    found, others = remembered(tmp_path), outdated(tmp_path)
    assert found is None or all(math.isfinite(rate) for rate in vars(found.training).values())
    assert others == ()


@pytest.mark.parametrize("name", ["host", "device", "precision", "torch"])
def test_a_text_that_is_none_makes_no_rates(tmp_path, name):
    file = remember(machine(), tmp_path)
    (key, form), *_ = json.loads(file.read_text()).items()
    file.write_text(json.dumps({key: form | {name: None}, "whole": form}))
    assert remembered(tmp_path) == machine()
    assert outdated(tmp_path) == ()


def test_brackets_without_end_are_no_rates(tmp_path):
    (tmp_path / "rates.json").write_text("[" * 100_000)
    assert remembered(tmp_path) is None


def test_rates_that_are_no_numbers_or_of_another_version_are_no_rates(tmp_path):
    file = remember(machine(), tmp_path)
    (key, form), *_ = json.loads(file.read_text()).items()
    for wrong in ({"version": 1}, {"training": {**form["training"], "per_call": "fast"}}, {"measured": "today"}):
        file.write_text(json.dumps({key: {**form, **wrong}}))
        assert remembered(tmp_path) is None


def test_memory_on_a_gpu_is_told_beside_what_was_expected():
    assert machine().memory_factor == 1.5
    unmeasured = replace(machine().points[0], memory=None)
    assert replace(machine(), points=(unmeasured,)).memory_factor == 1.0
