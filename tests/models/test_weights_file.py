"""Files of weights: named by their content, kept whole, read without torch."""

import hashlib
import subprocess
import sys

import pytest

from ablation.errors import DataError, InputError
from ablation.models.weights_file import keep, kept, settled


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(bytes(range(256)) * 10_000)  # of more than one chunk
    return path


def test_a_name_stays_and_a_file_becomes_its_digest(file):
    assert settled(None, "resnet18") is None
    assert settled("IMAGENET1K_V1", "resnet18") == "IMAGENET1K_V1"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert settled(str(file), "resnet18") == settled(file, "vgg11") == f"sha256:{digest}"
    assert settled(f"sha256:{digest}", "resnet18") == f"sha256:{digest}"


def test_the_digest_is_of_the_content_alone(file, tmp_path):
    copy = tmp_path / "elsewhere.pt"
    copy.write_bytes(file.read_bytes())
    assert settled(copy, "resnet18") == settled(file, "resnet18")
    copy.write_bytes(file.read_bytes()[:-1])
    assert settled(copy, "resnet18") != settled(file, "resnet18")


def test_what_cannot_be_read_or_is_unknown_is_said(tmp_path):
    with pytest.raises(
        DataError, match=r"the weights none.pth cannot be read \(No such file or directory; looked for at /"
    ):
        settled("none.pth", "resnet18")
    with pytest.raises(DataError, match="Is a directory"):
        settled(tmp_path, "resnet18")
    with pytest.raises(InputError, match="is unknown for resnet18; did you mean 'IMAGENET1K_V1'"):
        settled("IMAGENET1K_V3", "resnet18")


def test_a_kept_file_outlives_its_original(file, tmp_path):
    content, cache = file.read_bytes(), tmp_path / "cache"
    name = settled(file, "resnet18", cache)
    assert name == keep(file, cache)
    file.unlink()
    assert kept(name, cache).read_bytes() == content
    assert [path.name for path in (cache / "weights").iterdir()] == [f"{name.removeprefix('sha256:')}.pt"]


def test_a_file_that_is_being_written_is_not_kept(file, tmp_path, monkeypatch):
    from ablation.models import weights_file

    chunks = weights_file._chunks
    calls = []

    def grow(path):
        calls.append(path)
        if len(calls) == 2:  # between the digest and the copy
            path.write_bytes(path.read_bytes() + b"more")
        return chunks(path)

    monkeypatch.setattr(weights_file, "_chunks", grow)
    with pytest.raises(DataError, match="changed while they were read"):
        keep(file, tmp_path / "cache")
    assert list((tmp_path / "cache" / "weights").iterdir()) == []


def test_no_torch_is_needed(file, environment):
    script = (
        "import sys; from ablation.models.weights_file import settled\n"
        "from ablation.models.choice import wrong_choices\n"
        f"settled({str(file)!r}, 'resnet18'); list(wrong_choices('resnet18', 'small', 'DEFAULT', 0.1))\n"
        "print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
