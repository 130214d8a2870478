"""Does cropping, brightness or contrast help on twelve cat breeds, and under which optimizer?

    ablation run cats12 -j 4                           # 60 runs of 60 epochs; not timed as it stands
    ablation run cats12 --smoke --data PATH_TO_CATS    # the same path on a CPU, in a few minutes

2,160 photographs, 180 of each breed: the cats of Oxford-IIIT Pet (Parkhi et al. 2012) as a list of path<TAB>label.
Each of the four seeds is trained on 324 of them that no other is trained on, and all are tested on the same 648.
"""

from ablation import SGD, Adam, AdamW, Brightness, Contrast, Cosine, Experiment, ListFile, RandomResizedCrop, Redrawn

crop = RandomResizedCrop(scale=(0.35, 1.0))

experiment = Experiment(
    name="cats12",
    data=ListFile("data/cats12/train_list.txt", classes="data/cats12/classes.txt"),
    model="resnet50", image_size=196, cache_size=256,
    epochs=60, batch_size=64, schedule=Cosine(warmup=5),
    split=Redrawn(train=0.15, val=0.1, test=0.3),
    recipes={
        "none": (),
        "crop": (crop,),
        "brightness": (Brightness(0.4),),
        "contrast": (Contrast(0.4),),
        "all": (crop, Brightness(0.4), Contrast(0.4)),
    },
    optimizers={
        "adam": Adam(lr=1e-3),
        "adamw": AdamW(lr=1e-3, weight_decay=0.05),
        "sgd": SGD(lr=0.1, momentum=0.9),
    },
    seeds=4, baseline="none",
)  # fmt: skip
