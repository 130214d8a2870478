"""Several trials at once, each in a folder of its own, by processes that have imported everything."""

import os
import queue
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from zygote import Zygote

LINUX = os.path.exists("/proc/self/task") and hasattr(os, "fork")
"""Whether processes can be forked here, and their children read from /proc."""


class Lanes:
    """Zygotes, each of which is one trial's at a time. folder: where trials have their folders."""

    def __init__(self, folder: Path, count: int):
        self.folder, self.free = folder, queue.Queue()
        self.zygotes = [Zygote() for _ in range(count)]
        for zygote in self.zygotes:
            self.free.put(zygote)

    def each(self, trial: Callable[[Zygote, Path, object], str], cases: Iterable[object]) -> list[str]:
        """The trial of each case, in a folder that is not there yet: what went wrong, '' for nothing."""

        def one(numbered: tuple[int, object]) -> str:
            number, case = numbered
            zygote, folder = self.free.get(), self.folder / f"{trial.__name__}-{number}"
            try:
                wrong = trial(zygote, folder, case)
                left = left_running(folder)
                return wrong or (f"{case}: processes are left: {left}" if left else "")
            except Exception as error:
                return f"{case}: {type(error).__name__}: {error}"
            finally:
                self.free.put(zygote)
                shutil.rmtree(folder, ignore_errors=True)

        with ThreadPoolExecutor(len(self.zygotes)) as pool:
            return list(pool.map(one, enumerate(cases)))

    def close(self) -> None:
        for zygote in self.zygotes:
            zygote.close()


def left_running(folder: Path) -> list[str]:
    """The processes, by number and command line, that work in this folder or name it, as the kernel tells."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            within = os.readlink(process / "cwd").startswith(str(folder)) or f"{folder}/" in command
            if within and int(process.name) != os.getpid() and command:
                found.append(f"{process.name} {command[:100]}")
    return found
