"""How often does the demo find a true distance? The demo over several seeds, and the power of its Mantel tests.

    python analyses/demo_power.py --out power [--seeds 10] [--scale 1.0] [--workers 2]

Each seed is another world, another base model and another study, in a folder of its own, as ``xltransfer demo --quick``
makes them (2 to 3 minutes on two cores at scale 1); a folder that is finished is only read. Writes correlations.csv (a
row per seed, task, metric, k and distance), power.csv (share of seeds with p < 0.05 and the mean rho) and controls.csv
(the positive control).
"""

import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

LEVEL = 0.05
"""A distance counts as found below this p, two-sided."""


def power(correlations: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Return per task, metric, steps and distance in how many seeds the Mantel test is significant.

    Parameters
    ----------
    correlations
        Columns seed, task, metric, steps, distance, rho, p, centred_rho, centred_p; a row a seed.
    level
        Largest p that counts, exclusive.

    Returns
    -------
    DataFrame
        ``n_seeds`` (with a defined p), ``mean_rho``, ``power`` (share of those seeds), ``standard_error`` of that
        share, and the same three for centred ts. NaN where no seed has a defined p.
    """
    keys = ["task", "metric", "steps", "distance"]
    rows = []
    for key, group in correlations.groupby(keys, sort=False, observed=True):
        row = dict(zip(keys, key, strict=True)) | {"n_seeds": int(group["p"].notna().sum())}
        for prefix in ("", "centred_"):
            p = group[f"{prefix}p"].dropna()
            share = float((p < level).mean()) if len(p) else math.nan
            row[f"{prefix}mean_rho"] = float(group[f"{prefix}rho"].mean())
            row[f"{prefix}power"] = share
            row[f"{prefix}standard_error"] = math.sqrt(share * (1 - share) / len(p)) if len(p) else math.nan
        rows.append(row)
    return pd.DataFrame(rows)


def main(
    out: Annotated[Path, typer.Option(help="Folder for the demos and the tables.")],
    seeds: Annotated[int, typer.Option(help="Seeds 1 to this.")] = 10,
    scale: Annotated[float, typer.Option(help="Times the demo's text, sentences and pretraining steps.")] = 1.0,
    workers: Annotated[int, typer.Option(help="Processes of each run.")] = 2,
) -> None:
    """Repeat the demo over seeds and state its power."""
    from xltransfer.cli.demo import run_demo
    from xltransfer.cli.demo_found import transfer_found
    from xltransfer.cli.tables import show, write_csv
    from xltransfer.config.load import load_study
    from xltransfer.protocols.demo import QUICK, demo_of

    found, controls = [], []
    for seed in range(1, seeds + 1):
        folder = out / f"seed{seed:02d}"
        print(f"seed {seed} of {seeds}", flush=True)
        failed = run_demo(demo_of(seed, scale), folder, workers, quick=True)
        if failed:
            print(f"seed {seed}: {failed}")
        correlations, control = transfer_found(folder, load_study(folder / QUICK.study).seen, seed)
        found.append(correlations.assign(seed=seed))
        controls.append(control.assign(seed=seed))
    frames = {"correlations": pd.concat(found), "controls": pd.concat(controls)}
    frames = {"power": power(frames["correlations"])} | frames
    show(frames["power"], f"share of {seeds} seeds with Mantel p < {LEVEL}")
    held = frames["controls"]["holds"]
    print(f"positive control: holds in {int(held.sum())} of {len(held)} cases (seed and unseen language)")
    write_csv(frames, out)


if __name__ == "__main__":
    typer.run(main)
