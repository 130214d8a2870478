"""Who follows a sweep while it goes on. What a watch does can never cost a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Protocol

from ablation.core.errors import attempt
from ablation.experiment.runs import Run


class Watch(Protocol):
    """Who is notified of how the sweep goes; called from several threads."""

    def caching(self, done: int, total: int) -> None:
        return

    def planned(self, missing: tuple[Run, ...], finished: int, workers: int) -> None:
        return

    def event(self, run: Run, event: dict[str, Any]) -> None:
        return

    def note(self, message: str) -> None:
        """Called with a line for people, as of a cache that is built again."""
        return


class Silent(Watch):
    """Ignores it all."""


class Following(Watch):
    """Passes on to a watch, and says of each run that it has begun, or ended an epoch."""

    def __init__(self, watch: Watch, follow: Callable[[Run], None]):
        self.watch, self.follow = watch, follow

    def caching(self, done: int, total: int) -> None:
        self.watch.caching(done, total)

    def planned(self, missing: tuple[Run, ...], finished: int, workers: int) -> None:
        self.watch.planned(missing, finished, workers)

    def event(self, run: Run, event: dict[str, Any]) -> None:
        if event["event"] in ("started", "epoch"):
            self.follow(run)
        self.watch.event(run, event)

    def note(self, message: str) -> None:
        self.watch.note(message)


class Harmless(Watch):
    """Passes on to a watch. Where that raises, it warns and passes on nothing more: the sweep goes on."""

    def __init__(self, watch: Watch):
        self.watch = watch

    def caching(self, done: int, total: int) -> None:
        self._pass_on(lambda: self.watch.caching(done, total))

    def planned(self, missing: tuple[Run, ...], finished: int, workers: int) -> None:
        self._pass_on(lambda: self.watch.planned(missing, finished, workers))

    def event(self, run: Run, event: dict[str, Any]) -> None:
        self._pass_on(lambda: self.watch.event(run, event))

    def note(self, message: str) -> None:
        self._pass_on(lambda: self.watch.note(message))

    def _pass_on(self, call: Callable[[], None]) -> None:
        attempt("how the sweep goes", call, None, self._give_up)

    def _give_up(self, reason: str) -> None:
        self.watch = Silent()
        warnings.warn(f"{reason}; it goes on all the same", stacklevel=2)
