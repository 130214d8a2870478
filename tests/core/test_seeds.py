"""Streams are named, independent, counter-based and pinned; torch's global generator is only ever lent."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from ablation.core.seeds import stream, torch_stream


def test_a_stream_is_the_same_numbers_whenever_it_is_asked_for():
    first = stream(7, "order", 3)
    first.random(1000)
    assert (stream(7, "order", 3).random(50) == stream(7, "order", 3).random(50)).all()


def test_the_generator_is_philox_keyed_by_a_blake2b_hash_of_the_name():
    key = int.from_bytes(hashlib.blake2b(b'[7, "order", 3]', digest_size=16).digest(), "little")
    expected = np.random.Generator(np.random.Philox(key=key)).random(20)
    assert (stream(7, "order", 3).random(20) == expected).all()
    assert isinstance(stream(7, "order", 3).bit_generator, np.random.Philox)


def test_the_first_values_are_pinned():
    """Were these to change, every run on disk would be of another kind than the next: raise RESULTS_VERSION then."""
    assert stream(0, "init").random(3).tolist() == [0.23677731459220464, 0.0889810091117661, 0.15664672023158377]
    assert stream(0, "order", 0).permutation(8).tolist() == [5, 2, 1, 3, 6, 4, 7, 0]


@pytest.mark.parametrize(
    "other",
    [(8, "order", 3), (7, "order", 4), (7, "orders", 3), (7, "order"), (7, "order", "3"), (7, "order", 3, 0)],
)
def test_other_names_are_other_streams(other):
    ours, theirs = stream(7, "order", 3).random(4000), stream(*other).random(4000)
    assert not np.isin(ours, theirs).any()
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.07  # 4 standard errors of 4,000 draws


def test_neighbouring_seeds_give_uniform_draws():
    """The first draw over seeds is as uniform as the draws of one stream: a keyed hash, not seed + 1."""
    assert kstest([stream(seed, "augment").random() for seed in range(2000)], "uniform").pvalue > 1e-3


def test_a_stream_is_the_same_in_another_process(environment):
    script = "from ablation.core.seeds import stream; print(stream(3, 'split', 1).random().hex())"
    for hash_seed in ("1", "2"):
        settings = {**environment, "PYTHONHASHSEED": hash_seed}
        told = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == stream(3, "split", 1).random().hex()


def test_torch_stream_is_repeatable_and_puts_back_what_was_there():
    before = torch.get_rng_state()
    with torch_stream(3, "dropout", 1):
        first = torch.rand(100)
    with torch_stream(3, "dropout", 1):
        again = torch.nn.functional.dropout(torch.ones(4), 0.5), torch.rand(100)
    with torch_stream(3, "dropout", 2):
        other = torch.rand(100)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, again[1])  # the dropout took numbers of the same stream
    assert not torch.isin(first, other).any()
    with torch_stream(3, "dropout", 1):
        assert torch.equal(torch.rand(100), first)


def test_torch_stream_puts_back_what_was_there_after_an_error():
    before = torch.get_rng_state()

    def fail():
        with torch_stream(0, "init"):
            torch.rand(3)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(before, torch.get_rng_state())
