"""Transfer: the weights that a network begins with, published by torchvision or read from a file.

A file holds a state dict, alone or under "state_dict" or "model" as training scripts save it (a checkpoint of
Lightning is one); its keys are torchvision's own, or this program's (`backbone.`, `head.`). What stands before all of
them (`module.` of DataParallel, `_orig_mod.` of torch.compile, `model.` as Lightning modules mostly have it) is taken
off where they fit then. A head for another number of classes stays out. The record says both; any other difference is
an error: half a network is none.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ablation.core.errors import DataError, InputError
from ablation.models.classifier import Classifier, Loaded
from ablation.models.names import SMALL_STEM, is_weights_name, weights_names, wrong_weights
from ablation.models.weights_file import PREFIX, display_name, kept, name_of_file

AUXILIARY = ("AuxLogits", "aux1", "aux2")
"""The side branches of Inception v3 and GoogLeNet, which help them train from nothing and are no part of the answer."""
RESCALED = ("inception_v3", "googlenet")
"""Networks whose published weights expect pixels in [-1, 1]: torchvision converts from ImageNet's scale within them."""
_RESCALES = "inputs_rescaled"
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
State = OrderedDict[str, Tensor]


def load(network: Classifier, model: str, weights: str | Path, cache: Path | None) -> None:
    """Put the weights into the network, and what was done into `network.loaded`.

    Raises InputError where they are not this network's, DataError where they cannot be had.
    """
    called = display_name(str(weights), cache)
    source, state = _source(str(weights), called, model, cache)
    body, unfit = network.backbone, f"the weights {called} do not fit {model}"
    prefix = _unwrap(state, body.state_dict(), unfit)
    if model.startswith("densenet"):
        _rename(state)
    head, left_out = _take_head(network, state, unfit)
    left_out += _drop_auxiliary(state) if model in RESCALED else ()
    left_out += _resize_positions(body, state) if model.startswith("vit_") else ()
    left_out += (f"the {prefix} before every key",) if prefix not in ("", "module.") else ()
    taken = len(state) + len(head)
    if model in RESCALED and (_RESCALES in state or _is_published(source, model)):
        body.transform_input = True  # type: ignore[assignment]
        body.register_buffer(_RESCALES, torch.tensor(True))  # for a file of these weights after more training
        state.setdefault(_RESCALES, torch.tensor(True))
    _refuse_infinite(body.state_dict(), state, called)
    _refuse_infinite(network.head.state_dict(), head, called, f"{network.head_path}.")
    _fill(body, state, unfit, model.startswith(SMALL_STEM))
    network.head.load_state_dict(head or network.head.state_dict())
    network.loaded = Loaded(source, taken, left_out, bool(head))


def _source(weights: str, called: str, model: str, cache: Path | None) -> tuple[str, State]:
    """What the weights are called in a record (`called`: in a message), and their state dict."""
    if is_weights_name(weights):
        return _published(weights, model)
    path = kept(weights, cache) if weights.startswith(PREFIX) else Path(weights)
    source = name_of_file(path)
    if weights.startswith(PREFIX) and weights != source:
        raise DataError(f"{path.absolute()} is damaged: its content is not {weights}; delete it and plan again")
    return source, _read(path, called)


def _published(name: str, model: str) -> tuple[str, State]:
    """torchvision's weights, from where torch keeps downloads or from the network: "IMAGENET1K_V1 (f37072fd)".

    What stands in brackets begins the digest of the published file: torchvision checks it, and puts it in its name.
    """
    from torchvision.models import get_model_weights

    if wrong := wrong_weights(name, model):
        raise InputError(wrong)
    member = get_model_weights(model)[name]
    try:
        state = member.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError) as error:  # no network, no such file there, a digest that differs, a full disk
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(member.url).name
        raise DataError(
            f"the weights {name} of {model} could not be fetched from torchvision's server ({error}); fetch them where "
            f"there is a network and put them at {file}, or give weights=PATH, a file with a state dict"
        ) from None
    return f"{member.name} ({_digest_in(member.url)})", state


def _is_published(source: str, model: str) -> bool:
    """Whether these are torchvision's own: by name, or by the start of the digest that their file's name ends in."""
    from torchvision.models import get_model_weights

    if not source.startswith(PREFIX):
        return True
    ends = [_digest_in(get_model_weights(model)[name].url) for name in weights_names(model)]
    return any(source.startswith(PREFIX + end) for end in ends)


def _digest_in(url: str) -> str:
    """The start of a file's digest, which torchvision ends the file's name in."""
    return Path(url).stem.rpartition("-")[2]


def _read(path: Path, called: str) -> State:
    """The state dict in a file. Raises DataError where there is none, or more than tensors."""
    advice = "save a network's state_dict() with torch.save, and give that file"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what is no file of torch's, or half of one, fails in many ways
        reason = _why_unread(path, str(error))
        raise DataError(f"the weights {called} cannot be read as tensors alone ({reason}): {advice}") from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not all(map(torch.is_tensor, content.values())):
        holds = (
            f"the keys {_some(map(str, content))}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        )
        raise DataError(f"the weights {called} hold no state dict, but {holds}: {advice}")
    state = OrderedDict(content)
    if hasattr(content, "_metadata"):  # the versions of the layers
        state._metadata = content._metadata  # type: ignore[attr-defined]
    return state


def _why_unread(path: Path, error: str) -> str:
    """Why torch could not read the file, without its advice to read it anyway."""
    with open(path, "rb") as file:
        begins = file.read(2)
    if begins not in (b"PK", b"\x80\x02"):  # a ZIP archive, or what torch wrote before 1.6
        return "it is not a file of torch.save"
    if match := re.search(r"Unsupported global: GLOBAL (\S+)", error):
        return f"it holds {match[1]}"
    return "it is damaged, or not a file of torch.save"


def _unwrap(state: State, wanted: Mapping[str, Tensor], unfit: str) -> str:
    """Take off what all keys begin with where they fit then, and return it; and this program's own `backbone.`.

    Raises InputError where they would fit, but for others that do not begin so.
    """
    strip = nn.modules.utils.consume_prefix_in_state_dict_if_present

    def fitting(prefix: str) -> int:
        return len(wanted.keys() & {key.removeprefix(prefix).removeprefix("backbone.") for key in state})

    prefix = max(_shared(state), key=fitting)  # the shortest of those that are as good
    first = Counter(key.partition(".")[0] for key in state).most_common(1)[0][0] + "."
    if not fitting(prefix) and fitting(first):
        others = [key for key in state if not key.startswith(first)]
        advice = "save the state_dict() of the network alone"
        raise InputError(
            f"{unfit}: {len(others)} of {len(state)} keys do not begin with {first} ({_some(others)}); {advice}"
        )
    strip(state, prefix)
    if len(wanted.keys() & state.keys()) < fitting(""):
        strip(state, "backbone.")
    return prefix


def _shared(keys: Iterable[str]) -> Iterator[str]:
    """What all keys begin with, in whole names: "", "model.", "model.module."."""
    keys, prefix = list(keys), ""
    while all(key.startswith(prefix) for key in keys) and keys:
        yield prefix
        prefix = f"{prefix}{keys[0].removeprefix(prefix).partition('.')[0]}."


def _rename(state: State) -> None:
    """The keys of DenseNets as torchvision's files have them, `norm.1`, in the form of its networks, `norm1`."""
    for key in list(state):
        if (new := _OLD_DENSENET.sub(r"\1\2.", key)) != key:
            state[new] = state.pop(key)


def _take_head(network: Classifier, state: State, unfit: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take the head out of `state`: (its tensors if they fit, else none; what was left out, or that there is none).

    Raises InputError for half a head: weights of the right shape without their bias, or a bias alone.
    """
    here = network.head.state_dict()
    for path in (network.head_path, "head"):
        head = {name: state.pop(f"{path}.{name}") for name in here if f"{path}.{name}" in state}
        other = [name for name, tensor in head.items() if tensor.shape != here[name].shape]
        missing = [f"{path}.{name}" for name in here if name not in head]
        if head and missing and not other:
            raise InputError(f"{unfit}: {len(missing)} missing ({_some(missing)})")
        if other:
            state.pop(f"{path}.bias", None)  # where the head here has none
            shape, wanted = (" x ".join(map(str, tensors[other[0]].shape)) for tensors in (head, here))
            return {}, (f"{path} ({shape}; here {wanted})",)
        if head:
            return head, ()
    return {}, ("the head (the file has none)",)


def _refuse_infinite(here: Mapping[str, Tensor], state: Mapping[str, Tensor], called: str, prefix: str = "") -> None:
    """Raise DataError for tensors that hold NaN or infinity where the network as drawn does not (a mask may)."""
    both = here.keys() & state.keys()
    bad = [prefix + key for key in here if key in both and here[key].isfinite().all() > state[key].isfinite().all()]
    if bad:
        raise DataError(f"the weights {called} hold NaN or infinity: {_some(bad)}; they cannot be trained")


def _drop_auxiliary(state: State) -> tuple[str, ...]:
    left_out: tuple[str, ...] = ()
    for branch in AUXILIARY:
        keys = [key for key in state if key.startswith(f"{branch}.")]
        left_out += (f"{branch} (an auxiliary head, {len(keys)} tensors)",) if keys else ()
        for key in keys:
            del state[key]
    return left_out


def _resize_positions(body: nn.Module, state: State) -> tuple[str, ...]:
    """The position embedding of a ViT for another image size, resized by torchvision's bicubic rule."""
    from torchvision.models.vision_transformer import interpolate_embeddings

    key = "encoder.pos_embedding"
    here = body.state_dict()[key].shape
    if key not in state or state[key].shape == here or state[key].shape[::2] != here[::2]:
        return ()
    before = state[key].shape[1]
    interpolate_embeddings(int(body.image_size), int(body.patch_size), state)  # type: ignore[arg-type]
    return (f"{key} (resized from {before} to {here[1]} places)",)


def _fill(body: nn.Module, state: State, unfit: str, small_stem: bool) -> None:
    """Copy every tensor. Raises InputError with what is missing, unexpected or of another shape."""
    wanted = body.state_dict()
    if not hasattr(state, "_metadata"):  # saved as a plain dict; an MNASNet asks which version of it this is
        state._metadata = {"": wanted._metadata[""]}  # type: ignore[attr-defined]
    other = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    shapes = [f"{key} {tuple(state.pop(key).shape)}, here {tuple(wanted[key].shape)}" for key in other]
    try:
        keys = body.load_state_dict(state, strict=False)
    except RuntimeError as error:  # layers that know the keys of their older versions find other shapes under them
        raise InputError(f"{unfit}: {_some(line.strip() for line in str(error).splitlines()[1:])}") from None
    missing = [key for key in keys.missing_keys if key not in other and not key.endswith("num_batches_tracked")]
    wrong = {"of another shape": shapes, "missing": missing, "unexpected": keys.unexpected_keys}
    lists = [f"{len(names)} {kind} ({_some(names)})" for kind, names in wrong.items() if names]
    if lists:
        stem = "; weights and stem must go together" if small_stem and "conv1.weight" in other else ""
        raise InputError(f"{unfit}: {', '.join(lists)}{stem}")


def _some(names: Iterable[str]) -> str:
    """The first ten, and how many there are besides."""
    names = list(names)
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
