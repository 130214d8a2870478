"""How strong should a crop be on handwritten digits, and is that the same for Adam and SGD?

    ablation run digits_dose        # 70 runs; about two minutes on two CPU cores

Six strengths of one crop, from a quarter of it to twice as much, beside none: weak ones help, the strongest cuts away
what tells a digit from another. The data are those of `quickstart`.
"""

from ablation import SGD, Adam, Cosine, Digits, Experiment, Fixed, RandomResizedCrop
from ablation.recipes import dose

experiment = Experiment(
    name="digits_dose",
    data=Digits(),
    model="shallow_cnn", image_size=12, cache_size=24,
    epochs=40, batch_size=50, schedule=Cosine(warmup=2),
    split=Fixed(train=200, val=100, test=1000),
    recipes=dose(RandomResizedCrop(scale=(0.6, 1.0), ratio=(0.6, 1.67)), (0.25, 0.5, 0.75, 1, 1.5, 2)),
    optimizers={"adam": Adam(lr=3e-3), "sgd": SGD(lr=0.05, momentum=0.9)},
    seeds=5, baseline="none",
)  # fmt: skip
