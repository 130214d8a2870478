"""Does moving, cropping, brightness or contrast help a small network that has seen a hundred handwritten digits?

    ablation run quickstart        # 80 runs; about a minute on two CPU cores

scikit-learn's digits (1,797 real images of 8 x 8 pixels, which come with the library), enlarged to 12 x 12. Each seed
is trained on a hundred digits of its own, and all are tested on the same eight hundred. With so few, what an
augmentation adds shows: "move" turns, shifts and zooms a little.
"""

from ablation import (
    SGD,
    Adam,
    Brightness,
    Contrast,
    Cosine,
    Digits,
    Experiment,
    RandomAffine,
    RandomResizedCrop,
    Redrawn,
)

experiment = Experiment(
    name="quickstart",
    data=Digits(),
    model="lenet", image_size=12, cache_size=24,
    epochs=60, batch_size=25, schedule=Cosine(warmup=2),
    split=Redrawn(train=100, val=97, test=800),
    recipes={
        "none": (),
        "move": (RandomAffine(5, translate=(0.05, 0.05), scale=(0.95, 1.05)),),
        "crop": (RandomResizedCrop(scale=(0.8, 1.0)),),
        "brightness": (Brightness(0.4),),
        "contrast": (Contrast(0.4),),
    },
    optimizers={"adam": Adam(lr=3e-3), "sgd": SGD(lr=0.03, momentum=0.9)},
    seeds=8, baseline="none", robustness=True,
)  # fmt: skip
