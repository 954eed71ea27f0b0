"""Pure functions from tidy frame to tidy frame: transfer scores, rankings, controls, typology.

    from xltransfer.analysis import transfer_scores, rank_transfer_languages

    ts = transfer_scores(run.measurements())
    rank_transfer_languages(ts, steps=10, metric="accuracy")

Nothing here reads a file, prints, draws from a global generator or needs torch. Undefined is NaN, never 0. One file
holds one idea; its docstring gives formula and source.
"""

from xltransfer.analysis.adapter_seeds import adapter_seed_share
from xltransfer.analysis.aggregates import out_of_aggregates
from xltransfer.analysis.controls import controls
from xltransfer.analysis.detectable import smallest_detectable_effect
from xltransfer.analysis.floor import at_floor
from xltransfer.analysis.mantel import Mantel, mantel
from xltransfer.analysis.matrix import transfer_matrix
from xltransfer.analysis.noise import noise_floor
from xltransfer.analysis.ranking import rank_target_languages, rank_transfer_languages
from xltransfer.analysis.scores import transfer_scores
from xltransfer.analysis.sizes import small_targets

__all__ = [
    "Mantel",
    "adapter_seed_share",
    "at_floor",
    "controls",
    "mantel",
    "noise_floor",
    "out_of_aggregates",
    "rank_target_languages",
    "rank_transfer_languages",
    "small_targets",
    "smallest_detectable_effect",
    "transfer_matrix",
    "transfer_scores",
]
