"""One default world, and one of a single small vocabulary, for all tests of the artificial world."""

import pytest

from xltransfer.data.world import World, WorldSpec, make_world


@pytest.fixture(scope="session")
def world() -> World:
    """The default world."""
    return make_world()


@pytest.fixture(scope="session")
def small() -> World:
    """A world with 300 content lemmas and four languages in two families."""
    return make_world(WorldSpec(seed=5, families=((2, 1), (1,)), lemmas=300))
