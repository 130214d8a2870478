"""What matters more to an augmentation's gain on digits: the seed, or which digits are trained on?

    ablation run digits_variance        # 48 runs; about a minute on two CPU cores

Three seeds are trained on each of eight draws of a hundred digits, with and without moving them. The data and the
network are those of `quickstart`.
"""

from ablation import Adam, Cosine, Digits, Experiment, RandomAffine, Redrawn

experiment = Experiment(
    name="digits_variance",
    data=Digits(),
    model="lenet", image_size=12, cache_size=24,
    epochs=60, batch_size=25, schedule=Cosine(warmup=2),
    split=Redrawn(train=100, val=97, test=800, runs_per_draw=3),
    recipes={"none": (), "move": (RandomAffine(5, translate=(0.05, 0.05), scale=(0.95, 1.05)),)},
    optimizers={"adam": Adam(lr=3e-3)},
    seeds=24, baseline="none",
)  # fmt: skip
