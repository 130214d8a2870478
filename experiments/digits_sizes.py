"""Do small shifts and turns help only when there are few handwritten digits to train on?

    ablation run digits_sizes        # 64 runs; about five minutes on two CPU cores

100 to 800 training images, the smaller sets contained in the larger ones, all tested on the same 700. Every size has
the same number of epochs, so with fewer images the network is also updated less often. A trial with the seeds 0 to 4
made us expect that the gain fades; these are other seeds.
"""

from ablation import Adam, Cosine, Digits, Experiment, Fixed, RandomAffine
from ablation.data import TrainSize

experiment = Experiment(
    name="digits_sizes",
    data=Digits(),
    model="shallow_cnn", image_size=12, cache_size=24,
    epochs=60, batch_size=50, schedule=Cosine(warmup=2),
    split=Fixed(train=900, val=100, test=700),
    recipes={"none": (), "affine": (RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1)),)},
    optimizers={"adam": Adam(lr=3e-3)},
    vary={"train_size": {f"{10 * size} images": TrainSize(size) for size in (10, 20, 40, 80)}},
    seeds=tuple(range(10, 18)), baseline="none",
)  # fmt: skip
