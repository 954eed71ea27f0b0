"""Recompute every published number that follows from other published numbers.

    python analyses/audit_published.py --out DIR

Writes DIR/audit_published.csv: a row per printed number, label, flag or list with the paper, its table or section, what
was recomputed, the published and the recomputed value, their difference, the verdict and how it was recomputed. The
verdicts are explained in audit/comparison.py. Errors in print are found by computing; no list of them is read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from audit import fadx2022, faisal2024_languages, faisal2024_ranking, faisal2024_scores, madx2020, tlr2023
from audit.comparison import DIFFERS, VERDICTS, Finding, Read

from xltransfer.config.published import published_table

PAPERS: Mapping[str, tuple[Callable[[Read], Iterator[Finding]], ...]] = {
    "faisal2024": (faisal2024_scores.findings, faisal2024_ranking.findings, faisal2024_languages.findings),
    "madx2020": (madx2020.findings,),
    "tlr2023": (tlr2023.findings,),
    "fadx2022": (fadx2022.findings,),
}
COLUMNS = ["paper", "item", "what", "published", "recomputed", "difference", "verdict", "note"]


def audit(folder: Path | None = None, papers: Iterable[str] = tuple(PAPERS)) -> pd.DataFrame:
    """Return the findings.

    Parameters
    ----------
    folder
        Published tables with their ``index.yaml``. Default: those that ship.
    papers
        Names of papers, keys of `PAPERS`.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, all text; ``difference`` is published minus recomputed, empty for labels and lists.
    """
    rows = []
    for paper in papers:

        @cache
        def read(name: str, paper: str = paper) -> pd.DataFrame:
            return published_table(paper, name, folder).read()

        rows += [{"paper": paper} | asdict(finding) for part in PAPERS[paper] for finding in part(read)]
    return pd.DataFrame(rows, columns=COLUMNS, dtype="str")


def counts(findings: pd.DataFrame) -> pd.DataFrame:
    """Return a row per paper with the number of findings of each verdict."""
    sizes = findings.groupby(["paper", "verdict"]).size().unstack("verdict", fill_value=0)
    return (
        sizes.reindex(index=list(PAPERS), columns=list(VERDICTS), fill_value=0).reset_index().rename_axis(columns=None)
    )


def main(out: Annotated[Path, typer.Option(help="Folder for audit_published.csv; made if absent.")]) -> None:
    """Recompute what four papers printed, and say where print disagrees with itself."""
    from xltransfer.cli.tables import show, write_csv

    findings = audit()
    show(counts(findings), "findings by paper and verdict")
    differing = findings[findings["verdict"] == DIFFERS].drop(columns=["verdict", "note"])
    show(differing, f"{len(differing)} printed values that differ from what the others give")
    write_csv({"audit_published": findings}, out)


if __name__ == "__main__":
    typer.run(main)
