"""Files of weights: named by their content, kept whole, read without torch."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torchvision

from ablation.core.errors import DataError, InputError
from ablation.models.networks import build
from ablation.models.weights_file import display_name, keep, kept, name_of_file, resolved


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(bytes(range(256)) * 10_000)  # of more than one chunk
    return path


def test_a_name_stays_and_a_file_becomes_its_digest(file):
    assert resolved(None, "resnet18") is None
    assert resolved("IMAGENET1K_V1", "resnet18") == "IMAGENET1K_V1"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert resolved(str(file), "resnet18") == resolved(file, "vgg11") == f"sha256:{digest}"
    assert resolved(f"sha256:{digest}", "resnet18") == f"sha256:{digest}"


def test_the_digest_is_of_the_content_alone(file, tmp_path):
    copy = tmp_path / "elsewhere.pt"
    copy.write_bytes(file.read_bytes())
    assert resolved(copy, "resnet18") == resolved(file, "resnet18")
    copy.write_bytes(file.read_bytes()[:-1])
    assert resolved(copy, "resnet18") != resolved(file, "resnet18")


def test_what_cannot_be_read_or_is_unknown_is_said(tmp_path):
    with pytest.raises(
        DataError, match=r"the weights none.pth cannot be read \(No such file or directory; looked for at /"
    ):
        resolved("none.pth", "resnet18")
    with pytest.raises(DataError, match="Is a directory"):
        resolved(tmp_path, "resnet18")
    with pytest.raises(InputError, match="is unknown for resnet18; did you mean 'IMAGENET1K_V1'"):
        resolved("IMAGENET1K_V3", "resnet18")


def test_a_kept_file_outlives_its_original(file, tmp_path):
    content, cache = file.read_bytes(), tmp_path / "cache"
    name = resolved(file, "resnet18", cache)
    assert name == keep(file, cache)
    file.unlink()
    assert kept(name, cache).read_bytes() == content
    digest = name.removeprefix("sha256:")
    assert {path.name for path in (cache / "weights").iterdir()} == {f"{digest}.pt", f"{digest}.txt"}


def test_what_the_cache_keeps_may_be_named_by_its_digest(file, tmp_path):
    name = keep(file, cache := tmp_path / "cache")
    file.unlink()
    assert resolved(name, "resnet18") == resolved(name, "resnet18", cache) == name
    assert keep(name, cache) == keep(Path(name), cache) == name
    with pytest.raises(DataError, match="are not at hand"):
        keep(name, tmp_path / "another")
    for wrong in ("sha256:", f"{name}0", name.replace("sha256:", "sha256:../")):
        with pytest.raises(InputError, match="write sha256: and the 64 hexadecimal digits"):
            resolved(wrong, "resnet18")
        with pytest.raises(InputError, match="write sha256: and the 64 hexadecimal digits"):
            resolved(wrong, "resnet18", cache)


def test_a_message_calls_weights_by_the_place_they_were_last_kept_from(file, tmp_path):
    name = keep(file, cache := tmp_path / "cache")
    assert display_name(name, cache) == f"{name[:15]} (kept from {file})"
    keep(file.rename(tmp_path / "moved.pth"), cache)
    assert display_name(name, cache) == f"{name[:15]} (kept from {tmp_path / 'moved.pth'})"
    assert display_name(name, None) == name
    assert display_name("w.pt", cache) == "w.pt"


def test_default_is_settled_as_the_weights_that_it_stands_for():
    for model in torchvision.models.list_models(module=torchvision.models, exclude="squeezenet*"):
        members = torchvision.models.get_model_weights(model)
        for name in members.__members__:
            assert resolved(name, model) == members[name].name, (model, name)


def test_a_file_that_changes_is_another_one_and_the_copy_of_before_stays(file, tmp_path):
    cache, content = tmp_path / "cache", file.read_bytes()
    first = keep(file, cache)
    file.write_bytes(content + b"more")
    second = keep(file, cache)
    assert kept(first, cache).read_bytes() == content
    assert [name_of_file(kept(name, cache)) for name in (first, second)] == [first, second]


def test_no_torch_is_needed(file, environment):
    script = (
        "import sys; from ablation.models.weights_file import resolved\n"
        "from ablation.models.names import wrong_choices\n"
        f"resolved({str(file)!r}, 'resnet18'); list(wrong_choices('resnet18', 'small', 'DEFAULT', 0.1))\n"
        "print('torch' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "False"


@pytest.mark.parametrize("cache", [None, "empty"])
def test_weights_that_are_not_kept_are_missed(cache, tmp_path):
    with pytest.raises(DataError, match=r"are not at hand .*; plan the experiment again from their file"):
        build("shallow_cnn", 3, weights="sha256:" + "0" * 64, cache=cache and tmp_path)
