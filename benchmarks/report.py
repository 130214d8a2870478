"""How long does the whole report of a large experiment take, and which section takes it?

    python benchmarks/report.py                      # writes 1,000 records of 4 MB into a temporary folder first
    python benchmarks/report.py --records FOLDER     # keeps them there, for another measurement
    python benchmarks/report.py --seeds 5            # a tenth of the runs

1,000 runs (10 recipes x 2 optimizers x 50 seeds), each with what a run of a ResNet-18 keeps: logits and features of
1,000 test images of 10 classes, logits of its training and validation part and under eighteen test conditions, and
Grad-CAM maps. Nothing is trained: all of it is drawn at random and written as a worker writes its record. Printed are
the seconds of each section in one process, of all files of the report (HTML, PDF, tables, figures) in a process of
their own, and the most memory that this held. The records have just been written, so reading them is helped by the
system's own cache.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from made import Kept, write_made

from ablation.data import build, listing
from ablation.evidence.study import Study
from ablation.experiment.files import read
from ablation.experiment.results import Results
from ablation.experiment.runs import folder_of, runs_of
from ablation.report.contents import SECTIONS

SECONDS = 60.0
"""What all files of the report may take at most, on two cores."""

FILE = '''"""Which of nine strengths of brightness is best?"""

from ablation import SGD, Adam, Brightness, Digits, Experiment, Redrawn

experiment = Experiment(
    name="large", data=Digits(), baseline="none", seeds={seeds}, model="lenet", image_size=32, robustness=True,
    split=Redrawn(train=500, val=197, test=1000),
    recipes={{"none": ()}} | {{f"brightness {{step}}": (Brightness(step / 10),) for step in range(1, 10)}},
    optimizers={{"adam": Adam(), "sgd": SGD(lr=0.1)}},
)
'''


def main() -> None:
    """Write the records and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="where they are, or are to be kept")
    parser.add_argument("--seeds", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(options.records or Path(temporary), options.seeds)


def measure(folder: Path, seeds: int) -> None:
    """Print a line a section, then one of the whole page."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "large.py"
    file.write_text(FILE.format(seeds=seeds), "utf-8")
    experiment = read(file).experiment
    data = listing(experiment.data, folder)
    runs = runs_of(experiment.cells(data.digest), folder_of(experiment, folder / "runs"))
    missing = [run for run in runs if run.record() is None]
    build(data, runs[0].spec.cache_size, folder)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_made, file=file, cache=folder, kept=Kept()), missing, chunksize=8))

    started = time.perf_counter()
    study = Study(Results.load(experiment, folder / "runs", folder))
    print(f"{len(runs)} runs: records read in {time.perf_counter() - started:.1f} s")
    for slug, compute in SECTIONS.items():
        started = time.perf_counter()
        compute(study)
        print(f"{slug:<16} {time.perf_counter() - started:6.1f} s", flush=True)

    started = time.perf_counter()
    where = ["--runs", str(folder / "runs"), "--cache", str(folder), "--out", str(folder / "report")]
    command = [sys.executable, "-m", "ablation.cli", "report", str(file), "--force", *where]
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"the whole report {seconds:6.1f} s (at most {SECONDS:.0f}), {memory:.1f} GiB")


if __name__ == "__main__":
    main()
