"""What the demo prints of its findings: one table a study, and what is needed to read it without being fooled."""

from typing import TYPE_CHECKING, Any

from xltransfer.cli.demo_found import SHOWN, Aligned, Interference
from xltransfer.cli.tables import cell, show

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import pandas as pd

BRACKETS = "In brackets: p of Mantel's test, which permutes languages; self-pairs are left out."
CENTRED = "Centred: without the mean effect of each language on either side."
NAMED = 2
"""Members of pairs that are named at either end."""

_VALUES = ["distance", "rho", "p", "centred_rho", "centred_p", "n_pairs"]


def show_transfer(correlations: "pd.DataFrame", control: "pd.DataFrame") -> None:
    """Print what `demo_found.transfer_found` gives."""
    print(f"\nTRANSFER. Rank correlation (Spearman) of ts with the true distances. {BRACKETS}")
    print(f"Below 0: the nearer language helps more. {CENTRED}")
    show(by_distance(correlations))
    print(_by_chance(correlations))
    print("Positive control: self-transfer of the unseen languages on mlm (ts in percent, must be above 0).")
    show(control)


def show_interference(found: Interference) -> None:
    """Print what `demo_found.interaction_found` gives."""
    print(
        "\nINTERACTION. What a language gains on its own test data when fused with another one, less what it gains from"
    )
    print(f"a second adapter of its own; its rank correlation with the true distances. {BRACKETS}")
    print(f"Below 0: the nearer partner helps more, or hurts less. {CENTRED}")
    show(by_distance(found.correlations))
    print(_by_chance(found.correlations))
    for task in SHOWN:
        for size, kind in ((2, "pairs"), (3, "triples")):
            own = found.gains[(found.gains["task"] == task) & (found.gains["size"] == size)].dropna(subset="difference")
            if len(own):
                print(gains_said(task, kind, own))
    print("One adapter of each language stands behind all its differences: its luck is in none of these errors.")


def show_alignment(found: Aligned) -> None:
    """Print what `demo_found.alignment_found` gives."""
    print(
        "\nALIGNMENT of translations at the middle layer: mean cosine less that of permuted partners (level), and what"
    )
    print(f"a nudge does to the cosine of its language with each other one (change). Rank correlation. {BRACKETS}")
    print(f"Below 0: nearer languages are closer, or come closer. {CENTRED}")
    show(by_distance(found.correlations))
    print(_by_chance(found.correlations))
    for row in found.predicts.to_dict("records"):
        print(predicted_said(row))


def by_distance(correlations: "pd.DataFrame") -> "pd.DataFrame":
    """Return correlations with a column a distance, and rows for raw and centred values under each other."""
    import pandas as pd

    keys = [str(name) for name in correlations.columns if name not in _VALUES]
    records = []
    for _, group in correlations.groupby(keys, sort=False, dropna=False):
        head = {name: group[name].iloc[0] for name in keys} | {"pairs": int(group["n_pairs"].iloc[0])}
        for label, prefix in (("as measured", ""), ("centred", "centred_")):
            values = zip(group["distance"], group[f"{prefix}rho"], group[f"{prefix}p"], strict=True)
            records.append(head | {"values": label} | {name: _said(rho, p) for name, rho, p in values})
    return pd.DataFrame(records)


def gains_said(task: str, kind: str, gains: "pd.DataFrame") -> str:
    """Return one sentence on who gains and loses most from whom; ``gains`` as `analysis.interference` gives them."""
    ordered = gains.sort_values("difference", ascending=False, kind="stable")
    clear = int((gains["difference"].abs() > 2 * gains["standard_error"]).sum())
    named = [
        f"{row['language']} in {row['members']} {row['difference']:+.2f} ± {cell(row['standard_error'], 2)}"
        for row in ordered.to_dict("records")
    ]
    up, down = int((gains["sign"] > 0).sum()), int((gains["sign"] < 0).sum())
    return (
        f"{task} ({SHOWN[task]}): of {len(gains)} members of {kind} {up} gain and {down} lose, {clear} by more than "
        f"two standard errors; most: {', '.join(named[:NAMED])}; least: {', '.join(named[-NAMED:])}."
    )


def predicted_said(row: "Mapping[Hashable, Any]") -> str:
    """Return one sentence on whether the change of alignment predicts ts; a row of `analysis.alignment_predicts`."""
    head = f"ts on {row['task']}, k = {row['steps']}, per hundredth of a cosine that two languages come closer: "
    slope, low, high = (row[name] / 100.0 for name in ("slope", "low", "high"))
    if slope != slope:
        return f"{head}undefined ({row['why']})"
    return (
        f"{head}{slope:+.3g} percent ({low:+.3g} to {high:+.3g}, p = {row['p']:.2g}, {row['n_pairs']} pairs, centred)"
    )


def paths_said(places: "Mapping[str, str]") -> list[str]:
    """Return a line a place, the names in one column."""
    width = max(map(len, places), default=0)
    return [f"  {name.ljust(width)}  {path}" for name, path in places.items()]


def _said(rho: float, p: float) -> str:
    return "undefined" if rho != rho else f"{rho:+.2f} ({p:.2g})"


def _by_chance(correlations: "pd.DataFrame") -> str:
    """Return how many small p no effect at all would give."""
    tests = int(correlations[["p", "centred_p"]].notna().to_numpy().sum())
    below = int((correlations[["p", "centred_p"]] < 0.05).to_numpy().sum())
    return f"{below} of these {tests} p are below 0.05; without any effect it would be about {tests / 20:.0f}."
