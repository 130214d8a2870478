"""Small networks are slower on two threads than on one, and much slower where the cores are shared."""

import pytest


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    pass
