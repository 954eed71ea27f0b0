"""What a finished demo shows, beside what is known of its world: transfer, interference and alignment on distances.

Nothing is chosen by how it comes out: which tasks, metrics and layers are laid beside the distances stands here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SHOWN = {"pos": "accuracy", "mlm": "nll"}
"""Task and metric that are laid beside the distances."""

PREDICTOR = "mean_cosine"
"""Of alignment, at the middle layer."""

PERMUTATIONS = 1999
"""Of Mantel's test; p is at least 0.0005, or exact where there are fewer permutations."""


@dataclass(frozen=True)
class Interference:
    """What the interaction study shows.

    Attributes
    ----------
    gains
        Every member of every pair and triple: what `analysis.interference` gives for control ``second_adapter``.
    correlations
        ``task, metric, distance, rho, p, centred_rho, centred_p, n_pairs``: of what a language gains from a partner
        with the true distance of the two.
    """

    gains: "pd.DataFrame"
    correlations: "pd.DataFrame"


@dataclass(frozen=True)
class Aligned:
    """What the alignment study shows.

    Attributes
    ----------
    correlations
        ``what, distance, rho, p, centred_rho, centred_p, n_pairs``: ``level``, the mean cosine of translations in the
        untouched model less that of permuted partners; ``change``, of that cosine by a nudge towards one of the two.
    predicts
        What `analysis.alignment_predicts` gives: does the change predict ts? Empty if there is no transfer study.
    """

    correlations: "pd.DataFrame"
    predicts: "pd.DataFrame"


def transfer_found(out: Path, seen: frozenset[str], seed: int) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return what the transfer study of a finished demo shows.

    Parameters
    ----------
    out
        The demo's folder.
    seen
        Languages that the base was pretrained on.
    seed
        Draws the permutations.

    Returns
    -------
    tuple of DataFrame
        Correlations of ts: ``task, metric, steps, distance, rho, p, centred_rho, centred_p, n_pairs``. The positive
        control: see `protocols.demo.positive_control`.
    """
    from xltransfer.analysis.distances import distance_correlations
    from xltransfer.protocols.demo import TRANSFER, positive_control, true_distances

    ts = _scores(out / TRANSFER.results)
    keys, distances = ["task", "metric", "steps", "distance"], true_distances(out)
    raw = distance_correlations(ts, distances, seed=seed, permutations=PERMUTATIONS)[[*keys, "rho", "p", "n_pairs"]]
    centred = distance_correlations(ts, distances, seed=seed, permutations=PERMUTATIONS, centred=True)[
        [*keys, "rho", "p"]
    ]
    centred = centred.rename(columns={"rho": "centred_rho", "p": "centred_p"})
    joined = raw.merge(centred, on=keys, validate="one_to_one")
    return joined[[*keys, "rho", "p", "centred_rho", "centred_p", "n_pairs"]], positive_control(ts, seen)


def interaction_found(out: Path, seed: int) -> Interference:
    """Return what the interaction study of a finished demo shows; parameters as of `transfer_found`."""
    import pandas as pd

    import xltransfer
    from xltransfer.analysis import composition_scores, interference, paired_errors
    from xltransfer.analysis.composition_scores import FUSED
    from xltransfer.protocols.demo import INTERACTION

    run = xltransfer.open_run(out / INTERACTION.results)
    rows = run.measurements(labels=False)
    rows = rows[rows["metric"] == rows["task"].astype(str).map(SHOWN)]
    fused = f"{FUSED}trained"
    # Both sides are fused: a pair of languages, and two adapters of one.
    errors = paired_errors(run.cluster_counts([fused]), run.cluster_counts([fused]), "second_adapter")
    gains = interference(composition_scores(rows), "second_adapter", errors=errors)
    records = []
    for (task, metric), own in gains[gains["size"] == 2].groupby(["task", "metric"], sort=False):
        partners = [_partner(m, own) for m, own in zip(own["members"], own["language"], strict=True)]
        matrix = own.assign(partner=partners).pivot(index="partner", columns="language", values="difference")
        records += [{"task": task, "metric": metric, **row} for row in _by_distance(out, matrix, seed, str(task))]
    return Interference(gains, pd.DataFrame(records))


def alignment_found(out: Path, seed: int) -> Aligned:
    """Return what the alignment study of a finished demo shows; parameters as of `transfer_found`."""
    import pandas as pd

    import xltransfer
    from xltransfer.analysis import alignment_predicts
    from xltransfer.analysis.alignment_means import alignment_scores
    from xltransfer.protocols.demo import ALIGNMENT, TRANSFER

    scores = alignment_scores(xltransfer.open_run(out / ALIGNMENT.results).measurements())
    middle = scores[scores["middle"]]
    changes = mean_changes(middle)
    moved = changes[(changes["metric"] == PREDICTOR) & ~changes["permuted"]]
    matrices = {"level": levels(middle), "change": moved.pivot(index="transfer", columns="other", values="estimate")}
    records = [
        {"what": what, **row} for what, matrix in matrices.items() for row in _by_distance(out, matrix, seed, what)
    ]
    ts = _scores(out / TRANSFER.results)
    predicts = alignment_predicts(ts, changes, seed=seed, predictor=PREDICTOR, permutations=PERMUTATIONS)
    return Aligned(pd.DataFrame(records), predicts)


def levels(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Return the alignment of every two languages in the untouched model, a symmetric frame by language code.

    That is the mean cosine of their translations less that of permuted partners: what a cosine is in this model anyway
    is no alignment. ``scores`` are those of one layer, as `analysis.alignment_means.alignment_scores` gives them.
    """
    import pandas as pd

    own = scores[(scores["setting"] == "baseline") & (scores["metric"] == PREDICTOR)]
    wide = own.pivot(index=["source", "target"], columns="permuted", values="score")
    found = (wide[False] - wide[True]).rename("level").reset_index()
    turned = found.rename(columns={"source": "target", "target": "source"})
    return pd.concat([found, turned]).pivot(index="source", columns="target", values="level")


def mean_changes(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Return how alignment changes under each nudge, a mean over replicates.

    Returns
    -------
    DataFrame
        The columns that `analysis.alignment_predicts` reads, and ``other``: the language of the pair that is not
        ``transfer``.
    """
    from xltransfer.analysis.alignment_means import paired_changes

    moved = paired_changes(scores)
    keys = ["base", "setting", "transfer", "corpus", "steps", "task", "source", "target", "middle", "metric",
            "permuted"]  # fmt: skip
    found = moved[moved["setting"] == "nudge"].groupby(keys)["change"].mean().rename("estimate").reset_index()
    return found.assign(other=found["source"].where(found["target"] == found["transfer"], found["target"]))


def _scores(folder: Path) -> "pd.DataFrame":
    """Return ts of the tasks that are shown."""
    import xltransfer
    from xltransfer.analysis import out_of_aggregates, transfer_scores
    from xltransfer.report.choose import untouched_items

    run = xltransfer.open_run(folder)
    rows = run.measurements(labels=False)
    rows = rows[rows["metric"] == rows["task"].astype(str).map(SHOWN)]
    return transfer_scores(rows, out_of_aggregates=out_of_aggregates(rows, untouched_items(run)))


def _partner(members: str, language: str) -> str:
    """Return the other member of a pair."""
    first, second = members.split("+")
    return second if first == language else first


def _by_distance(out: Path, matrix: "pd.DataFrame", seed: int, *names: str) -> list[dict[str, Any]]:
    """Return a row a true distance: its rank correlation with a matrix of languages, raw and centred."""
    from xltransfer.analysis import mantel
    from xltransfer.protocols.demo import true_distances
    from xltransfer.randomness import stream

    def rng(distance: str) -> "np.random.Generator":
        return stream(seed, "demo", *names, distance)

    rows = []
    for name, distance in true_distances(out).items():
        raw = mantel(matrix, distance, rng=rng(name), permutations=PERMUTATIONS)
        centred = mantel(matrix, distance, rng=rng(name), permutations=PERMUTATIONS, centred=True)
        found = {"rho": raw.rho, "p": raw.p, "centred_rho": centred.rho, "centred_p": centred.p}
        rows.append({"distance": name, **found, "n_pairs": raw.n_pairs})
    return rows
