"""Transfer corpora in the audit: their size in blocks, how many are used, and how alike two replicates' blocks are."""

import numpy as np
import pandas as pd

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.blocks import blocks_used
from xltransfer.data.measure import Measurer

CORPUS_COLUMNS = (
    "corpus", "dataset", "language", "n_lines", "tokens", "blocks", "distinct_blocks", "blocks_asked", "blocks_used",
    "fertility", "unknown_rate", "short",
)  # fmt: skip
REPLICATE_COLUMNS = ("corpus", "language", "steps", "blocks_drawn", "blocks_used", "expected_overlap")


def audit_corpora(resolved: ResolvedStudy, measurer: Measurer) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Count the transfer corpora of a study.

    Parameters
    ----------
    resolved
        The study.
    measurer
        Reads and tokenises.

    Returns
    -------
    corpora
        Per corpus: lines, tokens (special ones included), whole blocks, how many of those differ, how many were asked
        for (``transfer.tokens``; for ``all`` and ``equal`` as many as are used), how many are used, subwords a word,
        unknown-token rate, and whether it is ``short`` of what was asked.
    replicates
        Per corpus and number of steps k: blocks that one replicate draws (k times the batch), and the expected share of
        them that another replicate draws too. Drawn without replacement from n blocks, that is drawn / n, at most 1;
        1 means that all replicates see the same blocks.
    refusals
        Corpora shorter than one block, or with fewer distinct blocks than there are replicates.
    """
    nudge, transfer, block = resolved.study.nudge, resolved.study.transfer, resolved.study.text_block
    # Replicates are the transfer protocol's.
    needed = transfer.replicates if resolved.study.protocol == "transfer" else 1
    texts = {ref.name: text for ref in resolved.corpora if (text := measurer.text(ref, "train")) is not None}
    cuts = {name: text.cut(block) for name, text in texts.items()}
    available = {name: len(cut) for name, cut in cuts.items()}
    used = blocks_used(available, transfer.tokens, block)
    corpora, replicates, refusals = [], [], []
    for ref in resolved.corpora:
        if ref.name not in texts:
            continue
        text, n_used = texts[ref.name], used[ref.name]
        distinct = len(np.unique(cuts[ref.name], axis=0))
        asked = transfer.tokens // block if isinstance(transfer.tokens, int) else n_used
        corpora.append(
            (ref.name, ref.dataset, ref.language, text.n_lines, text.stream.size, available[ref.name], distinct, asked)
            + (n_used, text.n_subwords / text.n_words, text.n_unknown / text.n_subwords, n_used < asked)
        )
        for steps in _steps(resolved, ref.language):
            drawn = steps * nudge.batch_size
            expected = min(1.0, drawn / n_used) if n_used else float("nan")
            replicates.append((ref.name, ref.language, steps, drawn, n_used, expected))
        refusals += _refusals(ref.name, text.stream.size, block, min(distinct, n_used), needed)
    return (
        pd.DataFrame(corpora, columns=list(CORPUS_COLUMNS)).astype({"short": bool}),
        pd.DataFrame(replicates, columns=list(REPLICATE_COLUMNS)),
        refusals,
    )


def _steps(resolved: ResolvedStudy, language: str) -> list[int]:
    """The numbers of steps at which a transfer language is used, ascending."""
    cells = resolved.study.cells
    return sorted({cell.steps for cell in cells if cell.languages is None or language in cell.languages})


def _refusals(name: str, tokens: int, block: int, distinct: int, replicates: int) -> list[str]:
    """What makes a corpus unusable."""
    if tokens < block:
        return [f"transfer corpus {name!r}: {tokens} tokens are shorter than one block of {block}; add text"]
    if distinct < replicates:
        return [
            f"transfer corpus {name!r}: {replicates} replicates but only {distinct} distinct blocks of {block} tokens; "
            "set fewer replicates, a smaller block or more text"
        ]
    return []
