"""Does moving digits help only when there are few of them to train on?

    ablation run digits_sizes        # 48 runs; about two minutes on two CPU cores

50 to 200 training images, the smaller sets contained in the larger ones, all tested on the same eight hundred. Every
size has the same number of epochs, so with fewer images the network is also updated less often.
"""

from ablation import Adam, Cosine, Digits, Experiment, RandomAffine, Redrawn, TrainSize

experiment = Experiment(
    name="digits_sizes",
    data=Digits(),
    model="lenet", image_size=12, cache_size=24,
    epochs=60, batch_size=25, schedule=Cosine(warmup=2),
    split=Redrawn(train=200, val=97, test=800),
    recipes={"none": (), "move": (RandomAffine(5, translate=(0.05, 0.05), scale=(0.95, 1.05)),)},
    optimizers={"adam": Adam(lr=3e-3)},
    vary={"train_size": {f"{10 * size} images": TrainSize(size) for size in (5, 10, 20)}},
    seeds=8, baseline="none",
)  # fmt: skip
