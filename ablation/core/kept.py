"""What is made or read again and again is kept, as far as there is room: the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")


class Kept:
    """At most `room` bytes of arrays or tensors, alone or in tuples, under a key that says all that decides them.

    Several readers have the same: arrays are made read-only, tensors are not to be changed. dropped: is called with
    what makes room for others.

    >>> kept = Kept(room=1000)
    >>> kept.get("zeros", lambda: np.zeros(3))
    array([0., 0., 0.])
    """

    def __init__(self, room: int, dropped: Callable[[Any], None] = lambda item: None):
        self.room, self.dropped = room, dropped
        self._items = OrderedDict[Hashable, tuple[Any, int]]()
        self._bytes, self._lock = 0, threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Item]) -> Item:
        """Return what is kept under this key, made now if it is not; what is larger than the room never is kept."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key][0]  # type: ignore[no-any-return]  # as it was made under this key
        made = make()
        parts = made if isinstance(made, tuple) else (made,)
        for part in parts:
            if isinstance(part, np.ndarray):
                part.setflags(write=False)
        with self._lock:
            self._keep(key, made, sum(getattr(part, "nbytes", 0) for part in parts))
        return made

    def _keep(self, key: Hashable, made: Any, size: int) -> None:
        if size > self.room or key in self._items:
            return
        while self._bytes + size > self.room:
            _, (item, freed) = self._items.popitem(last=False)
            self._bytes -= freed
            self.dropped(item)
        self._items[key] = (made, size)
        self._bytes += size

    def fits(self, size: int) -> bool:
        """Return whether `size` bytes are worth keeping: more than half of the room would push out too much else."""
        return size <= self.room // 2

    def size(self) -> int:
        """Return how many bytes are kept."""
        return self._bytes
