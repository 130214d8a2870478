"""The distribution: wheel and source archive are built, hold all that they need, and work from an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUESTION = '''
"""Does cropping help on a few digits?"""
from ablation import Adam, Digits, Experiment, Fixed, RandomResizedCrop

experiment = Experiment(
    name="packaged", data=Digits(), model="lenet", image_size=16, cache_size=16, epochs=1, batch_size=64,
    recipes={"none": (), "crop": (RandomResizedCrop(scale=(0.5, 1.0)),)}, optimizers={"adam": Adam()},
    split=Fixed(train=100, val=50, test=100), seeds=3, baseline="none",
)
'''


def tracked() -> list[str]:
    """The files of the project; a test of the packaging has no place where they are not known."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    if not files:
        pytest.skip("no git checkout: nothing says which files belong to the project")
    return files


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that was built from it."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(source)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return made


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("augmentation_ablation-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {name for name in tracked() if name.startswith("ablation/")}


def test_the_source_archive_holds_what_a_reader_needs(built):
    (archive,) = built.glob("augmentation_ablation-*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    shipped = (
        "ablation/",
        "experiments/",
        "tests/",
        "docs/",
        "benchmarks/",
        "README",
        "CHANGELOG",
        "LICENSE",
        "Makefile",
    )
    assert not {name for name in tracked() if name.startswith(shipped)} - names


def test_it_runs_from_an_empty_folder_in_a_fresh_environment(built, tmp_path):
    """Dependencies are those that are installed here; the package itself is the wheel's."""
    (wheel,) = built.glob("*.whl")
    fresh, folder = tmp_path / "env", tmp_path / "empty"
    venv.create(fresh, symlinks=True)
    folder.mkdir()
    (packages,) = fresh.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "--python", str(fresh / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*arguments: str) -> str:
        command = [str(fresh / "bin" / "ablation"), *arguments]
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    where = subprocess.run(
        [str(fresh / "bin" / "python"), "-c", "import ablation; print(ablation.__file__)"],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(packages)
    assert run("--version").split()[0] == "ablation"
    (folder / "packaged.py").write_text(QUESTION)
    assert "crop" in run("run", "packaged.py", "--no-tracking", "-j", "1")
    run("report", "packaged.py")
    report = folder / "reports" / "packaged"
    assert "<h1>Does cropping help on a few digits?</h1>" in (report / "report.html").read_text("utf-8")
    assert (report / "report.pdf").read_bytes().startswith(b"%PDF")
