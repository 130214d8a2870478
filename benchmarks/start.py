"""How long does the command take to answer, beside bare Python and beside importing torch?

    python benchmarks/start.py

Each is a new process, in turns; medians of ten, as multiples of bare Python.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python": ["-c", "pass"],
    "ablation --help": ["-m", "ablation.cli", "--help"],
    "ablation list": ["-m", "ablation.cli", "list"],
    "import torch": ["-c", "import torch"],
}
ROUNDS = 10


def main() -> None:
    """Print a line a command."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - started)
    bare = statistics.median(seconds["python"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:<16} {median:6.2f} s  {median / bare:6.1f} times bare Python")


if __name__ == "__main__":
    main()
