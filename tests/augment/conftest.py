"""One thread for all tests of this folder: pictures are small here, and threads cost several times what they save."""

import pytest


@pytest.fixture(autouse=True)
def alone_on_its_thread(one_thread):
    """torch computes on one thread; who wants two says so itself."""
