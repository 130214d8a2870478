"""What is kept in memory: as it was read, no more than there is room for, and nothing that a reader can change."""

import numpy as np
import pytest

from ablation.core.kept import Kept


class Reader:
    """Counts how often it reads."""

    def __init__(self):
        self.times = []

    def of(self, key: int, size: int = 100):
        def read():
            self.times.append(key)
            return np.full(size, key, np.uint8), "beside"

        return read


def test_what_is_kept_is_what_was_read_and_is_read_once():
    kept, reader = Kept(1000), Reader()
    first, again = (kept.get(7, reader.of(7)) for _ in range(2))
    assert reader.times == [7]
    assert again is first
    np.testing.assert_array_equal(first[0], np.full(100, 7))
    assert first[1] == "beside"


def test_nothing_is_kept_beyond_the_room_and_the_least_recently_used_goes_first():
    kept, reader = Kept(350), Reader()
    for key in (1, 2, 3, 1, 4):  # 2 is the oldest when 4 needs room
        kept.get(key, reader.of(key))
        assert kept.size() <= 350
    assert kept.size() == 300
    reader.times.clear()
    for key in (1, 3, 4, 2):
        kept.get(key, reader.of(key))
    assert reader.times == [2]


def test_what_is_larger_than_the_room_is_read_each_time_and_pushes_nothing_out():
    kept, reader = Kept(150), Reader()
    kept.get(1, reader.of(1))
    assert len(kept.get(2, reader.of(2, 151))[0]) == len(kept.get(2, reader.of(2, 151))[0]) == 151
    kept.get(1, reader.of(1))
    assert reader.times == [1, 2, 2]


def test_a_reader_cannot_change_what_others_get():
    kept = Kept(1000)
    for _ in range(2):
        array, _ = kept.get(1, Reader().of(1))
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9


def test_what_is_not_there_is_remembered():
    kept, times = Kept(10), []
    assert [kept.get(1, lambda: times.append(1)) for _ in range(2)] == [None, None]
    assert times == [1]


def test_arrays_alone_are_kept_too_and_what_makes_room_is_named():
    gone = []
    kept = Kept(10, dropped=lambda item: gone.append(item.nbytes))
    for size in (4, 5, 6):
        kept.get(size, lambda size=size: np.zeros(size, np.uint8))
    assert gone == [4, 5]
    assert kept.size() == 6


def test_more_than_half_of_the_room_is_not_worth_keeping():
    assert Kept(10).fits(5)
    assert not Kept(10).fits(6)
