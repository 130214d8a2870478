"""Does cropping, brightness or contrast help a small network that has seen few handwritten digits?

    ablation run quickstart        # 50 runs; about two minutes on two CPU cores

scikit-learn's digits (1,797 real images of 8 x 8 pixels, which come with the library), enlarged to 12 x 12. Only about
200 are trained on: with so few, what an augmentation adds shows.
"""

from ablation import SGD, Adam, Brightness, Contrast, Cosine, Digits, Experiment, Fixed, RandomResizedCrop

crop = RandomResizedCrop(scale=(0.65, 1.0), ratio=(0.6, 1.67))

experiment = Experiment(
    name="quickstart",
    data=Digits(),
    model="shallow_cnn", image_size=12, cache_size=24,
    epochs=40, batch_size=50, schedule=Cosine(warmup=2),
    split=Fixed(train=200, val=100, test=1000),
    recipes={
        "none": (),
        "crop": (crop,),
        "brightness": (Brightness(0.4),),
        "contrast": (Contrast(0.4),),
        "all": (crop, Brightness(0.4), Contrast(0.4)),
    },
    optimizers={"adam": Adam(lr=3e-3), "sgd": SGD(lr=0.05, momentum=0.9)},
    seeds=5, baseline="none",
)  # fmt: skip
