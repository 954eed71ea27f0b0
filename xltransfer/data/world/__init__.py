"""An artificial world of related languages: text, annotated data and parallel sentences with known distances.

``make_world`` makes one from a ``WorldSpec``; ``write_world`` writes it as an ordinary data folder.
"""

from xltransfer.data.world.spec import Counts, Rate, WorldSpec
from xltransfer.data.world.world import World, make_world
from xltransfer.data.world.write import write_world

__all__ = ["Counts", "Rate", "World", "WorldSpec", "make_world", "write_world"]
