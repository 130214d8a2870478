"""What do shifting, turning and cropping each contribute on handwritten digits, and do they do the same work twice?

    ablation run digits_operations        # 64 runs; about two minutes on two CPU cores

All eight combinations of the three, so that each contribution is an average over every order in which they could have
been added. The data and the network are those of `quickstart`.
"""

from ablation import Adam, Cosine, Digits, Experiment, RandomCrop, RandomResizedCrop, RandomRotation, Redrawn, powerset

experiment = Experiment(
    name="digits_operations",
    data=Digits(),
    model="lenet", image_size=12, cache_size=24,
    epochs=60, batch_size=25, schedule=Cosine(warmup=2),
    split=Redrawn(train=100, val=97, test=800),
    recipes=powerset(
        {
            "shift": RandomCrop(padding=1),
            "rotate": RandomRotation(10),
            "crop": RandomResizedCrop(scale=(0.8, 1.0)),
        }
    ),
    optimizers={"adam": Adam(lr=3e-3)},
    seeds=8, baseline="none",
)  # fmt: skip
