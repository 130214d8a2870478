"""Transfer: torchvision's own weights give torchvision's answers, and what does not fit is refused by name."""

import pytest
import torch
import torchvision
from torch import nn

from ablation.core.errors import DataError, InputError
from ablation.core.seeds import stream
from ablation.models.classifier import Loaded
from ablation.models.networks import build
from ablation.models.weights_file import keep, name_of_file


def images(side=64):
    return torch.from_numpy(stream(0, "images").standard_normal((2, 3, side, side), "float32"))


def theirs(name, **options):
    """torchvision's network, with weights and running statistics unlike those that it is drawn with."""
    network = torchvision.models.get_model(name, weights=None, **options)
    for place, norm in enumerate(module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean += 0.01 * (place % 3)
        norm.running_var *= 1.1
    return network.eval()


def saved(network, path, wrap=lambda state: state):
    torch.save(wrap(network.state_dict()), path)
    return path


def same(ours, other, side=64):
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images(side)), other(images(side)), rtol=1e-3, atol=1e-4)


QUICK = ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "efficientnet_b0"]
LARGE = ["alexnet", "convnext_tiny", "densenet121", "regnet_y_400mf", "resnet50", "vgg11_bn"]
RESCALED = [("googlenet", 64), pytest.param("inception_v3", 75, marks=pytest.mark.slow)]
MADE_FOR_224 = ["swin_t", "swin_v2_t", "vit_b_16", "maxvit_t"]


@pytest.mark.parametrize("name", QUICK)
def test_a_file_of_torchvisions_gives_torchvisions_answers(name, tmp_path):
    network = theirs(name)
    path = saved(network, tmp_path / "w.pth")
    ours = build(name, 1000, weights=path)
    same(ours, network)
    assert ours.loaded == Loaded(name_of_file(path), len(network.state_dict()), (), True)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE + MADE_FOR_224)
def test_so_do_the_files_of_larger_networks(name, tmp_path):
    network = theirs(name)
    same(build(name, 1000, weights=saved(network, tmp_path / "w.pth")), network, 224)


WRAPPINGS = {
    "alone, as a plain dict": dict,
    "under state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "under model": lambda state: {"model": state, "optimizer": {"lr": 0.1}, "args": "-"},
    "of DataParallel": lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
}


def under(*names):
    """With these names before every key, as whatever holds a network has them."""
    return lambda state: {"state_dict": {".".join([*names, key]): tensor for key, tensor in state.items()}}


PREFIXES = {
    "Lightning": ("model",),
    "compiled": ("_orig_mod",),
    "both and more": ("model", "_orig_mod", "module", "net"),
}


@pytest.mark.parametrize("names", PREFIXES.values(), ids=PREFIXES)
@pytest.mark.parametrize("classes", [7, 3])
def test_what_stands_before_all_keys_is_taken_off_and_told(names, classes, tmp_path):
    """As in torch's own file; and with a head for other classes, which stays out."""
    network = theirs("mnasnet0_5", num_classes=7)
    ours = build("mnasnet0_5", classes, seed=3, weights=saved(network, tmp_path / "w.ckpt", under(*names)))
    plain = build("mnasnet0_5", classes, seed=3, weights=saved(network, tmp_path / "w.pth"))
    assert all(torch.equal(tensor, plain.state_dict()[key]) for key, tensor in ours.state_dict().items())
    told = f"the {'.'.join(names)}. before every key"
    assert ours.loaded.left_out == (*plain.loaded.left_out, told)
    assert (ours.loaded.loaded, ours.loaded.head) == (plain.loaded.loaded, classes == 7)


def test_a_file_of_this_programs_within_another_module_is_the_same_network(tmp_path):
    first = build("shallow_cnn", 3, seed=1)
    again = build("shallow_cnn", 3, seed=2, weights=saved(first, tmp_path / "w.pt", under("model")))
    assert all(torch.equal(tensor, first.state_dict()[key]) for key, tensor in again.state_dict().items())


def test_a_prefix_that_not_all_keys_share_is_none(tmp_path):
    def wrap(state):
        return {**under("model")(state)["state_dict"], "loss.weight": torch.ones(7)}

    path = saved(theirs("mnasnet0_5", num_classes=7), tmp_path / "w.pth", wrap)
    wrong = r"do not fit mnasnet0_5: 1 of 315 keys do not begin with model. \(loss.weight\); save the state_dict\(\) of"
    with pytest.raises(InputError, match=wrong):
        build("mnasnet0_5", 7, weights=path)


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_state_dict_is_found_however_it_was_saved(wrap, tmp_path):
    network = theirs("mnasnet0_5", num_classes=7)
    same(build("mnasnet0_5", 7, weights=saved(network, tmp_path / "w.pth", wrap)), network, 32)


@pytest.mark.parametrize("wrap", [lambda state: state, WRAPPINGS["under model"], WRAPPINGS["of DataParallel"]])
def test_a_file_of_this_programs_gives_the_same_network(wrap, tmp_path):
    first = build("resnet18", 3, seed=1, stem="small", stochastic_depth=0.3)
    again = build("resnet18", 3, seed=2, stem="small", weights=saved(first, tmp_path / "w.pt", wrap))
    assert again.loaded.head
    assert again.state_dict().keys() == first.state_dict().keys()
    assert all(torch.equal(tensor, first.state_dict()[key]) for key, tensor in again.state_dict().items())


def test_a_head_for_other_classes_stays_out_and_is_told(tmp_path):
    network = theirs("resnet18")
    path = saved(network, tmp_path / "w.pth")
    ours, plain = build("resnet18", 5, seed=3, weights=path), build("resnet18", 5, seed=3)
    assert ours.loaded.left_out == ("fc (1000 x 512; here 5 x 512)",)
    assert (ours.loaded.head, ours.loaded.loaded) == (False, len(network.state_dict()) - 2)
    assert torch.equal(ours.head.weight, plain.head.weight), "it is drawn as without weights"
    assert torch.equal(ours.backbone.conv1.weight, network.conv1.weight)


def test_a_file_without_a_head_says_so(tmp_path):
    network = build("shallow_cnn", 3)
    state = {key: tensor for key, tensor in network.state_dict().items() if not key.startswith("head.")}
    torch.save(state, tmp_path / "w.pt")
    ours = build("shallow_cnn", 3, seed=3, weights=tmp_path / "w.pt")
    assert ours.loaded == Loaded(ours.loaded.source, len(state), ("the head (the file has none)",), False)
    assert torch.equal(ours.head.weight, build("shallow_cnn", 3, seed=3).head.weight)


@pytest.mark.parametrize(("without", "there"), [("bias", "weight"), ("weight", "bias")])
def test_half_a_head_is_refused_unless_it_is_for_other_classes(without, there, tmp_path):
    def save(classes):
        state = build("shallow_cnn", classes).state_dict()
        del state[f"head.{without}"]
        torch.save(state, tmp_path / "w.pt")
        return tmp_path / "w.pt"

    with pytest.raises(InputError, match=rf"do not fit shallow_cnn: 1 missing \(head.{without}\)"):
        build("shallow_cnn", 3, weights=save(3))
    shapes = {"weight": "7 x 128; here 3 x 128", "bias": "7; here 3"}
    assert build("shallow_cnn", 3, weights=save(7)).loaded.left_out == (f"head ({shapes[there]})",)


def test_numbers_that_are_not_finite_are_refused_by_name(tmp_path):
    def save(name, value):
        state = build("shallow_cnn", 3).state_dict()
        state[name].view(-1)[0] = value
        torch.save(state, tmp_path / "w.pt")
        return tmp_path / "w.pt"

    told = r"w.pt hold NaN or infinity: {}; they cannot be trained"
    for name, value in [("head.bias", float("nan")), ("backbone.4.weight", float("inf"))]:
        with pytest.raises(DataError, match=told.format(name.removeprefix("backbone."))):
            build("shallow_cnn", 3, weights=save(name, value))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("layer1.0.bn1.weight"), "1 missing (layer1.0.bn1.weight)"),
        (lambda s: s.update(more=torch.zeros(2)), "1 unexpected (more)"),
        (lambda s: s.update({"bn1.bias": torch.zeros(3)}), "1 of another shape (bn1.bias (3,), here (64,))"),
        (
            lambda s: [s.pop(key) for key in list(s) if "layer4" in key],
            "layer4.0.bn2.running_mean, layer4.0.bn2.running_var and 15 more)",
        ),
    ],
)  # fmt: skip
def test_any_other_difference_is_refused_with_its_name(change, told, tmp_path):
    path = saved(theirs("resnet18"), tmp_path / "w.pth", lambda state: (change(state), state)[1])
    with pytest.raises(InputError) as raised:
        build("resnet18", 5, weights=path)
    assert str(raised.value).startswith(f"the weights {path} do not fit resnet18: ")
    assert str(raised.value).endswith(told)


def test_weights_of_another_network_or_stem_are_refused(tmp_path):
    path = saved(theirs("resnet18"), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"do not fit resnet34: .* missing \(layer1.2.conv1.weight, .* and \d+ more\)"):
        build("resnet34", 5, weights=path)
    with pytest.raises(InputError, match=r"1 of another shape \(conv1.weight .*; weights and stem must go together"):
        build("resnet18", 5, stem="small", weights=path)


def test_what_older_versions_left_out_may_be_missing(tmp_path):
    """Batch norms of before 2018 did not count their batches; torch takes their files, and so do we."""
    network = theirs("resnet18")
    state = {key: tensor for key, tensor in network.state_dict().items() if "num_batches" not in key}
    torch.save(state, tmp_path / "w.pth")
    same(build("resnet18", 1000, weights=tmp_path / "w.pth"), network)


def test_a_densenet_is_read_under_the_names_that_torchvisions_files_have(tmp_path):
    network = theirs("densenet121")
    old = {}
    for key, tensor in network.state_dict().items():
        for name in ("norm1", "norm2", "conv1", "conv2"):
            key = key.replace(f".{name}.", f".{name[:-1]}.{name[-1]}.") if "denselayer" in key else key
        old[key] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "w.pth")
    same(build("densenet121", 1000, weights=tmp_path / "w.pth"), network)


@pytest.mark.parametrize(("name", "side"), RESCALED)
def test_the_auxiliary_heads_stay_out_and_are_told(name, side, tmp_path):
    network = theirs(name, init_weights=False)
    ours = build(name, 1000, weights=saved(network, tmp_path / "w.pth"))
    branches = {"googlenet": ("aux1", "aux2"), "inception_v3": ("AuxLogits",)}[name]
    assert tuple(told.partition(" ")[0] for told in ours.loaded.left_out) == branches
    same(ours, network, side)


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """Where torch keeps what it has fetched; the network is a closed door."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("urllib.request._opener", None)  # made when first used, with the proxies of then
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def file_of(name, weights):
    return torchvision.models.get_model_weights(name)[weights].url.rpartition("/")[2]


def test_published_weights_are_loaded_as_torchvision_loads_them(downloads):
    saved(theirs("resnet18"), downloads / file_of("resnet18", "IMAGENET1K_V1"))
    ours = build("resnet18", 1000, weights="IMAGENET1K_V1")
    same(ours, torchvision.models.resnet18(weights="IMAGENET1K_V1").eval())
    assert ours.loaded.source == "IMAGENET1K_V1 (f37072fd)"
    assert ours.loaded.head
    assert build("resnet18", 5, weights="DEFAULT").loaded.source == "IMAGENET1K_V1 (f37072fd)"


@pytest.mark.parametrize(("name", "side"), RESCALED)
def test_published_weights_of_another_scale_of_pixels_answer_as_torchvisions(name, side, downloads, tmp_path):
    """torchvision's own network with these weights converts the images: so must ours, and who goes on from it."""
    saved(theirs(name, init_weights=False), downloads / file_of(name, "IMAGENET1K_V1"))
    ours = build(name, 1000, weights="DEFAULT")
    network = torchvision.models.get_model(name, weights="DEFAULT").eval()
    assert network.transform_input
    same(ours, network, side)
    same(build(name, 1000, weights=saved(ours, tmp_path / "later.pt")), network, side)


def test_a_file_known_by_its_digest_is_torchvisions(tmp_path, monkeypatch):
    path = saved(theirs("googlenet", init_weights=False), tmp_path / "mine.pth")
    member = torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1
    assert not build("googlenet", 3, weights=path).backbone.transform_input
    monkeypatch.setattr(member.value, "url", f"https://there/googlenet-{name_of_file(path)[7:15]}.pth")
    assert build("googlenet", 3, weights=path).backbone.transform_input


def test_without_a_network_it_is_said_what_to_do(downloads):
    with pytest.raises(DataError) as raised:
        build("resnet18", 5, weights="IMAGENET1K_V1")
    told = str(raised.value)
    assert told.startswith("the weights IMAGENET1K_V1 of resnet18 could not be fetched from torchvision's server (")
    assert str(downloads / "resnet18-f37072fd.pth") in told
    assert "weights=PATH" in told


@pytest.mark.slow
def test_position_embeddings_are_resized_to_other_images(tmp_path):
    first = build("vit_b_16", 3, seed=1, image_size=64)
    path = saved(first, tmp_path / "w.pt")
    larger = build("vit_b_16", 3, image_size=96, weights=path)
    assert larger.loaded.left_out == ("encoder.pos_embedding (resized from 17 to 37 places)",)
    assert torch.equal(larger.backbone.encoder.pos_embedding[:, 0], first.backbone.encoder.pos_embedding[:, 0])
    same(larger, larger, 96)


class Booby:
    def __reduce__(self):
        return (print, ("run by reading a file",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (Booby(), "cannot be read as tensors alone (it holds print): save a network's state_dict()"),
        (nn.Linear(2, 2), "cannot be read as tensors alone (it holds torch.nn.modules.linear.Linear): save"),
        (b"", "cannot be read as tensors alone (it is not a file of torch.save): save a network's"),
        (b"epoch,loss", "cannot be read as tensors alone (it is not a file of torch.save): save a network's"),
        (b"PK half of one", "cannot be read as tensors alone (it is damaged, or not a file of torch.save): save"),
        ({"epoch": 3, "lr": 0.1}, "hold no state dict, but the keys epoch, lr: save a network's state_dict()"),
        ([1, 2], "hold no state dict, but a list"),
    ],
)
def test_a_file_of_something_else_is_refused(content, told, tmp_path, capsys):
    path = tmp_path / "w.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(DataError) as raised:
        build("shallow_cnn", 3, weights=path)
    assert told in str(raised.value)
    assert str(path) in str(raised.value)
    assert "run by reading" not in capsys.readouterr().out


def test_weights_that_the_cache_keeps_are_found_and_held_to_their_digest(tmp_path):
    first = build("shallow_cnn", 3, seed=1)
    name = keep(saved(first, tmp_path / "w.pt"), tmp_path / "cache")
    again = build("shallow_cnn", 3, seed=2, weights=name, cache=tmp_path / "cache")
    assert again.loaded.source == name
    assert torch.equal(again.head.weight, first.head.weight)
    (copy,) = (tmp_path / "cache" / "weights").glob("*.pt")
    saved(build("shallow_cnn", 3, seed=5), copy)
    with pytest.raises(DataError, match="is damaged: its content is not sha256:"):
        build("shallow_cnn", 3, weights=name, cache=tmp_path / "cache")


def test_a_message_about_kept_weights_names_the_file_that_the_user_has(tmp_path):
    kept = keep(saved(build("shallow_cnn", 3), tmp_path / "mine.pt"), cache := tmp_path / "cache")
    called = rf"the weights sha256:{kept[7:15]} \(kept from {tmp_path / 'mine.pt'}\)"
    with pytest.raises(InputError, match=rf"^{called} do not fit resnet18: "):
        build("resnet18", 3, weights=kept, cache=cache)
    (tmp_path / "text.pt").write_text("epoch,loss")
    kept = keep(tmp_path / "text.pt", cache)
    with pytest.raises(DataError, match=r"^the weights sha256:\w{8} \(kept from .*text.pt\) cannot be read as tensors"):
        build("resnet18", 3, weights=kept, cache=cache)
    with pytest.raises(InputError, match=r"weights = 'sha256:12': write sha256: and the 64 hexadecimal digits"):
        build("resnet18", 3, weights="sha256:12", cache=cache)
