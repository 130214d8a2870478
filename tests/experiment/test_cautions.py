"""What is asked for and seldom meant is said before the runs; what is usual is not."""

from dataclasses import replace

import pytest

from ablation.experiment.spec import cautions
from ablation.models.names import weights_names

ODD = {
    "freeze": ({"freeze": "backbone"}, "without weights"),
    "weights": ({"model": "resnet18", "weights": "IMAGENET1K_V1"}, "normalization='imagenet'"),
    "batch": ({"batch_size": 101}, "batch_size = 101 is more than the 100 images"),
}


@pytest.mark.parametrize(("change", "told"), ODD.values(), ids=ODD)
def test_what_is_seldom_meant_is_told(tiny, change, told):
    spec = replace(tiny, **change).cells("0" * 16)[0].spec
    (caution,) = cautions(spec, 100)
    assert told in caution


def test_what_is_usual_is_not_told(tiny):
    assert "IMAGENET1K_V1" in weights_names("resnet18")
    usual = replace(tiny, model="resnet18", weights="IMAGENET1K_V1", normalization="imagenet", freeze="backbone")
    for experiment in (tiny, usual):
        assert list(cautions(experiment.cells("0" * 16)[0].spec, 100)) == []
