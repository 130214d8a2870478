"""How strongly should digits be moved, and is that the same for Adam and SGD?

    ablation run digits_dose        # 96 runs; about three minutes on two CPU cores

Five strengths of one movement, from a half of it to three times as much, beside none. The data and the network are
those of `quickstart`.
"""

from ablation import SGD, Adam, Cosine, Digits, Experiment, RandomAffine, Redrawn, dose

experiment = Experiment(
    name="digits_dose",
    data=Digits(),
    model="lenet", image_size=12, cache_size=24,
    epochs=60, batch_size=25, schedule=Cosine(warmup=2),
    split=Redrawn(train=100, val=97, test=800),
    recipes=dose(RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1)), (0.5, 1, 1.5, 2, 3)),
    optimizers={"adam": Adam(lr=3e-3), "sgd": SGD(lr=0.03, momentum=0.9)},
    seeds=8, baseline="none",
)  # fmt: skip
