"""Pure functions from tidy frame to tidy frame: transfer scores, intervals, rankings, controls, correlations.

    from xltransfer.analysis import transfer_scores, rank_transfer_languages

    ts = transfer_scores(run.measurements())
    rank_transfer_languages(ts, steps=10, metric="accuracy")

Nothing here reads a file, prints, draws from a global generator or needs torch. Undefined is NaN, never 0. One file
holds one idea; its docstring gives formula and source.
"""

from xltransfer.analysis.aggregate_intervals import target_aggregates, transfer_aggregates
from xltransfer.analysis.aggregates import out_of_aggregates
from xltransfer.analysis.alignment import alignment, unmatched_alignment
from xltransfer.analysis.alignment_predicts import alignment_predicts
from xltransfer.analysis.alignment_states import alignment_changes, alignment_states
from xltransfer.analysis.changes import replicate_changes
from xltransfer.analysis.common_top import common_top, top_ranks
from xltransfer.analysis.compare import base_correlation, compare_bases, paired_bases
from xltransfer.analysis.composition_scores import composition_scores
from xltransfer.analysis.controls import controls
from xltransfer.analysis.detectable import (
    measured_detectable_effect,
    smallest_detectable_effect,
    smallest_detectable_nll_effect,
)
from xltransfer.analysis.extremes import extreme_targets
from xltransfer.analysis.floor import at_floor
from xltransfer.analysis.interference import interference
from xltransfer.analysis.interference_errors import paired_errors
from xltransfer.analysis.interference_gains import adapter_scores, improvement_shares
from xltransfer.analysis.interference_projection import interference_projections, projection
from xltransfer.analysis.interference_signs import sign_counts, sign_patterns
from xltransfer.analysis.interval_statistics import Statistics, interval_statistics
from xltransfer.analysis.intervals import cell_intervals
from xltransfer.analysis.labels import label_changes
from xltransfer.analysis.mantel import Mantel, mantel
from xltransfer.analysis.matrix import transfer_matrix
from xltransfer.analysis.max_recipients import max_recipients
from xltransfer.analysis.multiplicity import adjusted
from xltransfer.analysis.noise import noise_floor
from xltransfer.analysis.pair_features import language_pairs, pair_features, pair_matrix
from xltransfer.analysis.percent_positive import percent_positive
from xltransfer.analysis.pigeonhole import Pigeonhole, pigeonhole
from xltransfer.analysis.progression import progression, step_changes
from xltransfer.analysis.rank_sets import rank_sets
from xltransfer.analysis.ranking import rank_target_languages, rank_transfer_languages
from xltransfer.analysis.recipients import recipients
from xltransfer.analysis.reliability import reliability
from xltransfer.analysis.scores import transfer_scores
from xltransfer.analysis.seen_unseen import seen_unseen, seen_unseen_differences
from xltransfer.analysis.shrinkage import shrunk
from xltransfer.analysis.sizes import small_targets
from xltransfer.analysis.target_influence import ranking_influence, target_influence
from xltransfer.analysis.task_correlation import task_correlation
from xltransfer.analysis.typology import similarity, vector_coverage
from xltransfer.analysis.typology_tests import typology_tests
from xltransfer.analysis.variance_shares import variance_shares

__all__ = [
    "Mantel",
    "Pigeonhole",
    "Statistics",
    "adapter_scores",
    "adjusted",
    "alignment",
    "alignment_changes",
    "alignment_predicts",
    "alignment_states",
    "at_floor",
    "base_correlation",
    "cell_intervals",
    "common_top",
    "compare_bases",
    "composition_scores",
    "controls",
    "extreme_targets",
    "improvement_shares",
    "interference",
    "interference_projections",
    "interval_statistics",
    "label_changes",
    "language_pairs",
    "mantel",
    "max_recipients",
    "measured_detectable_effect",
    "noise_floor",
    "out_of_aggregates",
    "pair_features",
    "pair_matrix",
    "paired_bases",
    "paired_errors",
    "percent_positive",
    "pigeonhole",
    "progression",
    "projection",
    "rank_sets",
    "rank_target_languages",
    "rank_transfer_languages",
    "ranking_influence",
    "recipients",
    "reliability",
    "replicate_changes",
    "seen_unseen",
    "seen_unseen_differences",
    "shrunk",
    "sign_counts",
    "sign_patterns",
    "similarity",
    "small_targets",
    "smallest_detectable_effect",
    "smallest_detectable_nll_effect",
    "step_changes",
    "target_aggregates",
    "target_influence",
    "task_correlation",
    "top_ranks",
    "transfer_aggregates",
    "transfer_matrix",
    "transfer_scores",
    "typology_tests",
    "unmatched_alignment",
    "variance_shares",
    "vector_coverage",
]
