"""Descent: what a node of the tree has from its parent, and what changes on the branch between them.

Four axes, each with streams of its own, so that none moves another: sound changes alter all inherited forms, then some
concepts get a newly coined root, word-order parameters flip, the script may change. A new root undergoes the sound
changes of later branches only. The axis's ``Rate`` and the branch's length give the chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.data.world import order, sound
from xltransfer.data.world.lexicon import Lexicon
from xltransfer.data.world.phonology import Forms, coin, phonotactics
from xltransfer.data.world.spec import Rate, WorldSpec
from xltransfer.data.world.tree import Branch, branches
from xltransfer.randomness import stream


@dataclass(frozen=True, eq=False)
class Heritage:
    """What a node has on the four axes.

    Attributes
    ----------
    forms
        [concept, segment] the roots in use.
    origins
        [concept] name of the node at which the root in use was coined; empty for the common ancestor.
    probe
        [concept, segment] the common ancestor's roots after all sound changes down to here, none ever replaced: what
        the sound distance is measured on.
    order
        Word-order parameter -> whether the dependent comes first.
    script
        Number of the script, 0 or 1.
    """

    forms: Forms
    origins: NDArray[np.object_]
    probe: Forms
    order: Mapping[str, bool]
    script: int


def descend(spec: WorldSpec, lexicon: Lexicon) -> tuple[dict[str, Branch], dict[str, Heritage]]:
    """Return every branch, and every node's heritage, by the node's name."""
    tree: dict[str, Branch] = {}
    heritage = {"": _ancestor(spec, lexicon)}
    for branch in branches(spec.seed, spec.families):
        tree[branch.name] = branch
        heritage[branch.name] = _inherit(spec, lexicon, branch, heritage[branch.parent])
    return tree, heritage


def chance(rate: Rate, branch: Branch) -> float:
    """Return the probability that one unit of an axis changes on a branch: 1 - (1 - rate)^length."""
    stays = 1.0 - rate.on(branch.name, branch.family, founding=not branch.parent)
    return 1.0 - float(stays**branch.length)


def _ancestor(spec: WorldSpec, lexicon: Lexicon) -> Heritage:
    """Return the common ancestor's heritage."""
    roots = coin(stream(spec.seed, "roots", ""), phonotactics(spec.seed, ""), list(lexicon.shapes))
    origins = np.full(len(roots), "", dtype=np.object_)
    return Heritage(roots, origins, roots, order.PROTO_ORDER, 0)


def _inherit(spec: WorldSpec, lexicon: Lexicon, branch: Branch, parent: Heritage) -> Heritage:
    """Return the heritage at the lower end of a branch."""
    seed, name = spec.seed, branch.name
    changes = sound.adopted(seed, name, chance(spec.sound, branch))
    replaced = stream(seed, "lexical", name).random(len(lexicon.concepts)) < chance(spec.lexical, branch)
    coined = coin(stream(seed, "roots", name), phonotactics(seed, branch.family), list(lexicon.shapes))
    switches = float(stream(seed, "script", name).random()) < chance(spec.script, branch)
    return Heritage(
        forms=np.where(replaced[:, None], coined, sound.apply(changes, parent.forms)),
        origins=np.where(replaced, name, parent.origins),
        probe=sound.apply(changes, parent.probe),
        order=order.flipped(seed, name, chance(spec.order, branch), parent.order),
        script=parent.script ^ int(switches),
    )
