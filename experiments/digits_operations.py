"""What do cropping, shifting and rotating each contribute on handwritten digits, and do they do the same work twice?

    ablation run digits_operations        # 64 runs; about two minutes on two CPU cores

All eight combinations of the three, so that each contribution is an average over every order in which they could have
been added. The data are those of `quickstart`.
"""

from ablation import Adam, Cosine, Digits, Experiment, Fixed, RandomCrop, RandomResizedCrop, RandomRotation
from ablation.recipes import powerset

experiment = Experiment(
    name="digits_operations",
    data=Digits(),
    model="shallow_cnn", image_size=12, cache_size=24,
    epochs=40, batch_size=50, schedule=Cosine(warmup=2),
    split=Fixed(train=200, val=100, test=1000),
    recipes=powerset(
        {
            "crop": RandomResizedCrop(scale=(0.65, 1.0), ratio=(0.6, 1.67)),
            "shift": RandomCrop(padding=1),
            "rotate": RandomRotation(15),
        }
    ),
    optimizers={"adam": Adam(lr=3e-3)},
    seeds=8, baseline="none",
)  # fmt: skip
