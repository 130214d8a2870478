"""Pictures shared by threads: the same bits, errors that arrive, and nothing left changed."""

import threading

import pytest
import torch
from catalogue import augmented, stored

from ablation.augment import Brightness, Contrast, RandomHorizontalFlip, RandomResizedCrop, RandomRotation, Sometimes
from ablation.augment.operations.per_image import PerImage
from ablation.augment.shares import in_shares
from ablation.core.values import value

COLORS = (Sometimes(Brightness(0.4)), Contrast(0.4))
RECIPES = [
    (RandomResizedCrop((0.35, 1.0)), RandomHorizontalFlip(), *COLORS),
    (Sometimes(RandomRotation(30)), *COLORS, Sometimes(RandomResizedCrop((0.35, 1.0)))),
]


@value
class Threads(PerImage):
    """Writes down in which threads it was."""

    def apply(self, images, drawn):
        NAMES.add(threading.current_thread().name)
        return images


NAMES: set[str] = set()


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("side", "size"), [(140, 130), (40, 24)])
def test_two_threads_show_the_same_bits(recipe, side, size):
    images = stored(side, 12)
    alone = augmented(recipe, images, size)
    torch.set_num_threads(2)
    assert torch.equal(augmented(recipe, images, size), alone)
    with torch.inference_mode():
        assert torch.equal(augmented(recipe, images, size), alone)


def test_each_thread_computes_alone_and_the_callers_number_stays():
    torch.set_num_threads(2)
    both, found = threading.Barrier(2), []

    def work(piece: int) -> None:
        both.wait(60)  # neither can do both pieces
        found.append((threading.current_thread().name, torch.get_num_threads()))

    in_shares(work, range(2), shared=True)
    assert len({name for name, _ in found}) == 2
    assert [count for _, count in found] == [1, 1]
    assert torch.get_num_threads() == 2
    other = []
    later = threading.Thread(target=lambda: other.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert other == [2]


def test_an_error_arrives_when_no_thread_is_at_work():
    torch.set_num_threads(2)
    done = []

    def work(piece: int) -> None:
        if piece == 3:
            raise ValueError("piece 3")
        done.append(piece)

    with pytest.raises(ValueError, match="piece 3"):
        in_shares(work, range(20), shared=True)
    assert sorted(done) == [piece for piece in range(20) if piece != 3]


def test_what_draws_from_generators_of_the_process_stays_in_one_thread():
    NAMES.clear()
    torch.set_num_threads(2)
    augmented((Threads(),), stored(140, 6), 130)
    assert list(NAMES) == [threading.current_thread().name]


def test_one_thread_starts_no_other():
    names = []
    in_shares(lambda piece: names.append(threading.current_thread().name), range(3), shared=True)
    assert names == [threading.current_thread().name] * 3
