"""Networks this small are slower on two threads than on one, by far where the machine is busy."""

import pytest


@pytest.fixture(autouse=True)
def small_networks(one_thread: None) -> None:
    """Every test here runs on one thread."""
