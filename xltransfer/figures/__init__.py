"""Figures: from the tidy frames of analysis to a matplotlib ``Figure``. No files, no statistics, no global state.

    from xltransfer.figures import transfer_heatmap

    figure = transfer_heatmap(cells, languages, task="pos", metric="accuracy", steps=10)
    figure.savefig("pos.png")

``languages`` has the columns code, name, family, genus and seen (by the base model; may be missing). Give every figure
of a study the same frame: it fixes each language's place and each family's colour. A figure shows one base model, one
setting, one task and so on; where a frame holds several, name one. Where there is nothing to show, every function
raises ``ValueError`` with what it expected. Intervals are the frame's own; a figure only says what they are.
"""

from xltransfer.figures.alignment import alignment_curves
from xltransfer.figures.alignment_means import alignment_means
from xltransfer.figures.alignment_nudges import alignment_nudges
from xltransfer.figures.alignment_scatter import alignment_scatter
from xltransfer.figures.common_top import common_top_ranks
from xltransfer.figures.correlation import task_correlation_matrix
from xltransfer.figures.forest import forest
from xltransfer.figures.heatmap import transfer_heatmap
from xltransfer.figures.interference import interference_plane
from xltransfer.figures.interference_shares import improvement_bars
from xltransfer.figures.pair_heatmap import pair_heatmap
from xltransfer.figures.progression import progression
from xltransfer.figures.recipients import recipient_map
from xltransfer.figures.seen_unseen import seen_unseen_blocks
from xltransfer.figures.violins import transfer_violins

__all__ = [
    "alignment_curves",
    "alignment_means",
    "alignment_nudges",
    "alignment_scatter",
    "common_top_ranks",
    "forest",
    "improvement_bars",
    "interference_plane",
    "pair_heatmap",
    "progression",
    "recipient_map",
    "seen_unseen_blocks",
    "task_correlation_matrix",
    "transfer_heatmap",
    "transfer_violins",
]
