"""What is read more than once is kept in memory, as far as there is room: the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

Held = TypeVar("Held", bound="Sequence[object] | None")


class KeptArrays:
    """At most `room` bytes of arrays, in tuples under a key each. They are read-only: several readers have the same.

    >>> kept = KeptArrays(1000)
    >>> kept.get("zeros", lambda: (np.zeros(3),))
    (array([0., 0., 0.]),)
    """

    def __init__(self, room: int):
        self.room = room
        self._items = OrderedDict[Hashable, tuple[Sequence[object] | None, int]]()
        self._bytes, self._lock = 0, threading.Lock()

    def get(self, key: Hashable, read: Callable[[], Held]) -> Held:
        """Return the arrays of this key, read now if they are not kept; what is larger than the room never is."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key][0]  # type: ignore[return-value]  # as it was read under this key
        made = read()
        arrays = [] if made is None else [item for item in made if isinstance(item, np.ndarray)]
        for array in arrays:
            array.setflags(write=False)
        with self._lock:
            self._keep(key, made, sum(array.nbytes for array in arrays))
        return made

    def _keep(self, key: Hashable, made: Sequence[object] | None, size: int) -> None:
        if size > self.room or key in self._items:
            return
        while self._bytes + size > self.room:
            _, (_, freed) = self._items.popitem(last=False)
            self._bytes -= freed
        self._items[key] = (made, size)
        self._bytes += size

    def size(self) -> int:
        """Return how many bytes are kept."""
        return self._bytes
