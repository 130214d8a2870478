"""Whether a page is up to date: the digest changes with any file that may change a number or a word of it."""

import ast
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import ablation
from ablation.data import Digits
from ablation.data.check import check
from ablation.evidence.study import Study
from ablation.report import input_digest
from ablation.report.data_check.findings import as_json
from ablation.report.render import digest as freshness
from ablation.report.render.digest import LIBRARIES, check_digest, folder_digest, program_digest

PACKAGE = Path(ablation.__file__).parent
FILES = sorted(file for kind in ("*.py", "*.html", "*.css", "*.js", "*.typ") for file in PACKAGE.rglob(kind))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """This package, to be changed."""
    return shutil.copytree(
        PACKAGE, tmp_path_factory.mktemp("copy") / "ablation", ignore=shutil.ignore_patterns("__pycache__")
    )


def test_every_module_and_every_template_is_in_the_digest(copy):
    """Each file in turn is changed by a byte, and put back."""
    before = folder_digest(copy)
    assert len(FILES) > 100
    assert before == folder_digest(PACKAGE), "where the package lies does not matter"
    for file in FILES:
        changed = copy / file.relative_to(PACKAGE)
        content = changed.read_bytes()
        changed.write_bytes(content + b" ")
        assert folder_digest(copy) != before, f"a change of {file} leaves a page as it was"
        changed.write_bytes(content)
    assert folder_digest(copy) == before


def test_a_file_that_comes_goes_or_is_moved_changes_the_digest(copy):
    before = folder_digest(copy)
    moved = (copy / "core/seeds.py").rename(copy / "analysis" / "seeds.py")
    assert folder_digest(copy) != before
    moved.rename(copy / "core/seeds.py")
    (copy / "evidence" / "new.py").write_text("")
    assert folder_digest(copy) != before
    (copy / "evidence" / "new.py").unlink()
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "seeds.cpython-312.pyc").write_bytes(b"compiled")
    assert folder_digest(copy) == before


@pytest.mark.parametrize(
    "index", ["evidence/effects.py", "analysis/student.py", "experiment/results.py", "report/render/section.html"]
)
def test_no_page_is_current_after_a_change_of_the_program(build, fake, tmp_path, copy, monkeypatch, index):
    """Both kinds of page; a process looks at the program once, so that what it has loaded counts."""
    study, worked_out = Study(fake(build(seeds=1), tmp_path), []), as_json(check(Digits(), tmp_path))

    def digests():
        return input_digest([study]), check_digest(worked_out)

    monkeypatch.setattr(ablation, "__file__", str(copy / "__init__.py"))
    program_digest.cache_clear()
    before = digests()
    with (copy / index).open("a") as file:
        file.write(" ")
    assert digests() == before
    program_digest.cache_clear()
    assert not set(digests()) & set(before)
    program_digest.cache_clear()


def test_another_version_of_a_library_makes_another_page(monkeypatch):
    before = program_digest()
    for library in LIBRARIES:
        program_digest.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(freshness, "version", lambda name, newer=library: "0" if name == newer else "1")
            digest = program_digest()
            program_digest.cache_clear()
            patched.setattr(freshness, "version", lambda name: "1")
            assert program_digest() != digest
    program_digest.cache_clear()
    assert program_digest() == before


def test_no_library_of_the_report_is_forgotten():
    """Whatever is imported by what computes, draws and writes a page."""
    rooms = ("analysis", "evidence", "report")
    modules = [file for file in FILES if file.suffix == ".py" and file.relative_to(PACKAGE).parts[0] in rooms]
    for name in ("tables", "files"):  # whose tables are no part of a page
        modules.remove(PACKAGE / f"report/render/{name}.py")
    nodes = [node for file in modules for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    foreign = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"ablation"}
    known = packages_distributions()
    assert foreign
    assert {known[name][0].lower() for name in foreign} <= set(LIBRARIES)


def test_a_warning_that_comes_up_makes_the_page_again(build, fake, tmp_path):
    """A copied folder beside the runs changes no record of theirs."""
    results = fake(build(seeds=1), tmp_path)
    before = input_digest([Study(results, [])])
    assert input_digest([Study(results, [])]) == before
    shutil.copytree(results.root / results.frame["id"][0], results.root / "copy")
    assert input_digest([Study(results, [])]) != before


def test_the_program_is_read_once(monkeypatch):
    read = []
    monkeypatch.setattr(freshness, "folder_digest", lambda folder: read.append(folder) or "")
    program_digest.cache_clear()
    assert program_digest() == program_digest()
    assert read == [PACKAGE]
    program_digest.cache_clear()


def test_the_digest_of_a_check_needs_no_pandas(environment):
    script = (
        "import sys; sys.modules.update(pandas=None, matplotlib=None)\n"
        "from ablation.report.render.digest import check_digest; check_digest({})"
    )
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
