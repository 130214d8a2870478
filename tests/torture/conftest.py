"""Lanes on which commands are started quickly, one for a file of fast tests, and one a core for the long ones."""

import pytest
from lanes import LINUX, Lanes


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    """One lane for the fast tests, as what it imports takes seconds; two where a slow one is chosen."""
    if not LINUX:
        pytest.skip("forks processes, and reads what they do from /proc")
    slow = any(item.get_closest_marker("slow") for item in request.session.items)
    lanes = Lanes(tmp_path_factory.mktemp("lanes"), 2 if slow else 1)
    yield lanes
    lanes.close()
