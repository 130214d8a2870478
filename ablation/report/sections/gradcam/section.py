"""What networks look at, as a section: rows of photographs. It claims nothing, as it is one run a recipe."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError
from ablation.core.text import counted, listing, named, plain
from ablation.evidence.study import Choice, Study
from ablation.report.photographs import STRIP_TILE, TINY
from ablation.report.section import Section, Strip, Strips
from ablation.report.sections.gradcam.compute import Looks, chosen, looks_of, missing
from ablation.report.sections.gradcam.figure import encoded_looks
from ablation.report.style import shortened
from ablation.report.text import among

TITLE = "What does the network look at?"


def gradcam(study: Study) -> Section | None:
    """None where no run has finished."""
    choice = study.shown_runs
    if choice is None:
        return None
    looks = looks_of(study)
    if looks is None:
        return Section("gradcam", TITLE, answer=_without(study, list(choice.runs.values())))
    picked = chosen(looks.right, looks.label)
    size = next(cell.spec.image_size for cell in study.results.cells if cell.spec.id in choice.runs.values())
    try:
        photographs = study.results.photographs(looks.sample[picked], size if size <= TINY else STRIP_TILE)
    except DataError as error:
        gone = "The photographs cannot be shown with their Grad-CAM maps: the image cache cannot be read."
        return Section("gradcam", TITLE, answer=(gone, f"The reason: {error}."))
    strips = tuple(
        _strip(looks, index, photograph, study.results.classes)
        for index, photograph in zip(picked, photographs, strict=True)
    )
    recipes = listing(map(named, looks.recipes))
    alt = plain(f"Grad-CAM maps over {counted(len(picked), 'test photograph')} under the networks of {recipes}")
    return Section(
        "gradcam",
        TITLE,
        f"A row is a test photograph under the networks of {recipes}; the brighter, the more it speaks for the class "
        "that the network predicts.",
        _answer(looks, choice),
        (Strips(strips, _caption(looks, choice, picked), alt),),
        caution=_caution(study, looks, choice),
    )


def _without(study: Study, runs: list[str]) -> tuple[str, ...]:
    """Why there are no maps at all."""
    why = missing(study, runs)
    if why == "old":
        return (
            "The records of these runs do not hold where the network looks: an older version made them.",
            f"Remove their folders and train them anew with `{study.command}`.",
        )
    if why == "none":
        return ("There is no Grad-CAM of this network: it has no last convolutional feature map of several cells.",)
    return (f"There is no Grad-CAM of these runs ({why}).",)


def _answer(looks: Looks, choice: Choice) -> tuple[str, ...]:
    """How often networks differ in these photographs; no claim of what they look at."""
    flips, first, whole = int(looks.flips.sum()), named(looks.recipes[0]), len(looks.sample)
    photographs, right = counted(whole, "test photograph"), int(looks.right[0].sum())
    held = (
        f"One run a recipe ({choice}): the maps show where the evidence for each prediction lies, and claim nothing of "
        "the recipes."
    )
    if len(looks.recipes) == 1:
        return (f"{first} gets {right} of {photographs} right; nothing is beside it.", held)
    names = listing(map(named, looks.recipes[1:]), "or")
    return (
        f"{flips} of {photographs} {'flips' if flips == 1 else 'flip'} between {first} and another recipe; where "
        "networks look is not tested.",
        f"{first} gets {right} of {whole:,} right. One flips where it is right and {names} is wrong, or the other way "
        "round.",
        held,
    )


def _caption(looks: Looks, choice: Choice, picked: list[int]) -> str:
    """What is shown, and how it was chosen."""
    flips, right = int(looks.flips[picked].sum()), int(looks.right[:, picked].all(axis=0).sum())
    kinds = [(flips, "flips" if flips == 1 else "flip"), (right, "all networks get right")]
    kinds += [(len(picked) - flips - right, "all networks get wrong")]
    shown = listing(f"{count} that {words}" for count, words in kinds if count)
    more = f" Not shown: {among(looks.left_out, 'recipe')}." if looks.left_out else ""
    height, width = looks.maps[0].shape[1:]
    return (
        f"Shown are {counted(len(picked), 'photograph')}: {shown}. Grad-CAM (Selvaraju et al. 2017) from the last "
        f"convolutional feature map, {height} × {width} cells, for the class that each network predicts: one run a "
        f"recipe ({choice}). Bright: speaks most for it; each map is scaled to its own maximum. Of each kind the first "
        f"of the {len(looks.sample)} test photographs with a map are shown, of different classes where there are.{more}"
    )


def _caution(study: Study, looks: Looks, choice: Choice) -> tuple[str, ...]:
    height, width = looks.maps[0].shape[1:]
    notes = [
        "One seed a recipe: another seed may look elsewhere, and nothing is claimed of a recipe here.",
        f"Grad-CAM is coarse ({height} × {width} cells) and shows evidence for a prediction, not understanding: that a "
        "map looks convincing does not show that the network has learned what one sees in it (Adebayo et al. 2018).",
    ]
    if looks.without:
        why = missing(study, [choice.runs[recipe] for recipe in looks.without])
        reason = {"old": "an older version made their records", "none": "their networks have none"}.get(why, why)
        notes.append(f"Without a map of these photographs: {among(looks.without, 'recipe')} ({reason}).")
    return tuple(notes)


def _strip(looks: Looks, index: int, photograph: NDArray[np.uint8], classes: tuple[str, ...]) -> Strip:
    """A photograph, then under each network with its map."""
    label = classes[int(looks.label[index])]
    right, maps = looks.right[:, index], [of[index] for of in looks.maps]
    words: list[tuple[str, ...]] = [(f"class {label}",)]
    guesses = [
        f"{shortened(classes[guess], 24)}, {'right' if is_right else 'wrong'}"
        for guess, is_right in zip(looks.guess[:, index].tolist(), right.tolist(), strict=True)
    ]
    names = [shortened(recipe, 24) for recipe in looks.recipes]
    for name, guess, one in zip(names, guesses, maps, strict=True):
        words.append((name, guess) if one.any() else (name, guess, "nothing speaks for it"))
    predicted = [f"{named(recipe)} predicts {guess}" for recipe, guess in zip(looks.recipes, guesses, strict=True)]
    return Strip(
        f"class {label}",
        _kind(looks, right.tolist()),
        ("test photograph", *names),
        tuple(words),
        partial(encoded_looks, photograph, maps),
        plain(f"A test photograph of class {named(label)}, and where networks look: {'; '.join(predicted)}"),
    )


def _kind(looks: Looks, right: list[bool]) -> str:
    """'flips: move and crop are right, none is wrong'; 'all are right'."""
    if all(right) or not any(right):
        return f"all are {'right' if right[0] else 'wrong'}" if len(right) > 1 else ("right" if right[0] else "wrong")
    groups = [
        [recipe for recipe, is_right in zip(looks.recipes, right, strict=True) if is_right is of]
        for of in (True, False)
    ]
    said = [f"{listing(map(named, names))} {'are' if len(names) > 1 else 'is'}" for names in groups]
    return f"flips: {said[0]} right, {said[1]} wrong"
