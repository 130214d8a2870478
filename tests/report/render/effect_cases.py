"""Experiments whose tables are hard to write: odd names, missing runs, other metrics, other tests."""

from dataclasses import replace

from made_up import noise, question

from ablation.analysis.comparison import Dunnett
from ablation.augment import Brightness
from ablation.data import Redrawn

HOSTILE = (
    "none\\_%&#$ {}", "~^\\<b>|x", "\N{MINUS SIGN} ± ≈ × λ é 中 😀", "[a](b) *b* `c`", "*star", "&amp; $x^2$ #1",
    "two\nlines", '--"a_very_long_recipe_name_with_many_parts"', "\\", "}{", "\\end{table}", "# head", "<!-- -->",
    "NA, ;=:'",
)  # fmt: skip


def hostile():
    recipes = {name: (Brightness(0.05 * number),) if number else () for number, name in enumerate(HOSTILE)}
    optimizers = {"ad_am #1": question().optimizers["adam"], "s|g<d>": question().optimizers["sgd"]}
    return replace(question(), name="ho_st.ile", recipes=recipes, baseline=HOSTILE[0], optimizers=optimizers)


def under_one_optimizer(**changes):
    return replace(question(), optimizers={"adam": question().optimizers["adam"]}, **changes)


def some_missing(cell):
    """Contrast diverges once and brightness has one seed, under sgd."""
    if cell.factors["optimizer"] == "sgd" and cell.factors["recipe"] == "contrast" and cell.seed == 2:
        return "diverged"
    if cell.factors["optimizer"] == "sgd" and cell.factors["recipe"] == "bright" and cell.seed:
        return "failed"
    return 0.8 + 0.05 * (cell.factors["recipe"] == "bright") + noise(cell)


def loss(cell):
    return 0.5 - 0.1 * (cell.factors["recipe"] == "bright") + noise(cell)


def one_failed(cell):
    return 0.1 if (cell.factors["recipe"], cell.seed) == ("bright", 2) else 0.8 + noise(cell)


CASES = {
    "pooled": (question(), None),
    "one condition": (under_one_optimizer(), None),
    "hostile": (hostile(), lambda cell: 0.7 + 0.01 * HOSTILE.index(cell.factors["recipe"]) + noise(cell)),
    "nothing finished": (question(), lambda _: "planned"),
    "some missing": (question(), some_missing),
    "lower is better": (under_one_optimizer(metric="log_loss", margin=0.02), loss),
    "without a unit": (replace(question(), metric="ece", alpha=0.01, margin=0.01), loss),
    "Dunnett": (replace(question(), test=Dunnett()), None),
    "alike": (replace(question(), recipes={**question().recipes, "same": ()}), None),
    "redrawn": (replace(question(), test=None, split=Redrawn(0.1, 0.1, 0.2)), None),
    "failed trainings": (under_one_optimizer(), one_failed),
    "a recipe left out": (replace(question(), exclude=({"recipe": "bright", "optimizer": "sgd"},)), None),
}
