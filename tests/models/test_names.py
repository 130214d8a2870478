"""The names of the networks are torchvision's own, known without importing torch."""

import subprocess
import sys

import torchvision

from ablation.models.names import model_names, weights_names, wrong_model


def test_the_names_are_those_that_torchvision_lists():
    listed = torchvision.models.list_models(module=torchvision.models)
    with_a_linear_head = {name for name in listed if not name.startswith("squeezenet")}
    assert set(model_names()) == with_a_linear_head | {"shallow_cnn", "lenet"}
    assert len(model_names()) == len(set(model_names()))


def test_a_network_without_a_linear_head_is_refused_with_the_reason():
    told = "ends in a convolution, so it has no features before a linear layer; take another"
    for name in torchvision.models.list_models(module=torchvision.models, include="squeezenet*"):
        assert wrong_model(name) == f"model = {name!r} {told}"
    assert "is unknown" in wrong_model("squeezenet9")


def test_the_names_are_known_without_importing_torch(environment):
    script = (
        "import sys; from ablation.models.names import model_names; print(len(model_names()), 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == [str(len(model_names())), "False"]


def test_the_names_of_published_weights_are_torchvisions():
    for name in torchvision.models.list_models(module=torchvision.models, exclude="squeezenet*"):
        assert set(weights_names(name)) == set(torchvision.models.get_model_weights(name).__members__), name
    assert weights_names("shallow_cnn") == ()
