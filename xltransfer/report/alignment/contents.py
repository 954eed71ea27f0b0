"""The tables of a report on alignment: frames with their columns, what they are called, and where they stand."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from xltransfer.figures.labels import metric_label
from xltransfer.report.alignment.findings import AlignmentFindings
from xltransfer.report.alignment.states import state_label
from xltransfer.report.catalogue import CATALOGUE
from xltransfer.report.names import labels_of
from xltransfer.report.tables import Column, Table

STATE: Final = ["base", "setting", "transfer", "corpus", "steps", "adapter_seed", "task_adapter"]
_CELL: Final = ["task", "dataset", "layer", "metric"]

SET = Column("task", "texts", hint="set of texts that are compared")
STATE_SAID = Column("state", "state")
METRIC = Column("measure", "measure", hint="cosines and CKA have no unit, retrieval is in percent")
LAYER = Column("layer", "layer", "integer", hint="0: the embeddings")
SOURCE = Column("source", "language", "language")
OTHER = Column("target", "and", "language")
ENTRY = (Column("transfer", "nudged on", "language"), CATALOGUE["corpus"], CATALOGUE["steps"])
PAIRS = Column("n_pairs", "pairs", "integer")
WHY = CATALOGUE["why"]
INTERVAL = (
    Column("estimate", "estimate", "number", 3, hint="percent for retrieval"),
    Column("low", "from", "number", 3),
    Column("high", "to", "number", 3),
)
CHANGE = (
    Column("estimate", "change", "number", 4, hint="less the untouched model; points for retrieval"),
    Column("low", "from", "number", 4),
    Column("high", "to", "number", 4),
)
PERMUTED = Column(
    "of_permuted", "permuted", "number", 3, hint="the same with every text paired with another's translation"
)
PERMUTED_CHANGE = Column("of_permuted", "permuted", "number", 4, hint="change between permuted pairs")


def tables(found: AlignmentFindings) -> list[Table]:
    """Return all tables of a report, those without rows too."""
    return [_sets(found), *_means(found), *_pairs(found), *_nudges(found), *_prediction(found), *_run(found)]


def _table(
    found: AlignmentFindings, name: str, title: str, caption: str, frame: pd.DataFrame,
    columns: Sequence[Column], section: str = "",
) -> Table:  # fmt: skip
    labels = {**labels_of(found.languages), "": ""}
    return Table(name, title, caption, _said(frame).reset_index(drop=True), tuple(columns), labels, section)


def _said(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with states and measures in words beside their names."""
    if "setting" in frame and "task_adapter" in frame:
        frame = frame.assign(state=[state_label(row) for row in frame.to_dict("records")])
    name = next((column for column in ("metric", "predictor") if column in frame), None)
    if "metric" in frame and "predictor" not in frame:
        frame = frame.assign(measure=[metric_label(metric) for metric in frame["metric"]])
    elif name is not None:
        frame = frame.assign(measure=[metric_label(metric) for metric in frame["predictor"]])
    return frame


def beside_permuted(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return the rows of true pairs with the estimate of permuted pairs beside them, ``of_permuted``."""
    permuted = frame.loc[frame["permuted"].astype(bool), [*keys, "estimate"]].rename(
        columns={"estimate": "of_permuted"}
    )
    own = frame[~frame["permuted"].astype(bool)].drop(columns="permuted")
    return own.merge(permuted, how="left", on=list(keys))


def _sets(found: AlignmentFindings) -> Table:
    return _table(
        found, "sets", "What is compared",
        "Matched texts are translations, item by item; of unmatched ones all pairs are compared, as tlr2023 does. "
        "Texts: of one side, the first ones of the file, at most as many as asked for. Transfer corpora among them: by "
        "their name or their whole file (SHA-256); the same sentences in another file are not looked for.",
        found["sets"],
        (SET, Column("kind", "kind"), Column("split", "split"), Column("n_languages", "languages", "integer"),
         Column("n_pairs", "pairs", "integer"), Column("fewest", "texts from", "integer"),
         Column("most", "texts to", "integer"), Column("asked", "asked for", "integer"),
         Column("shared_corpora", "transfer corpora among them",
                hint="nudges on these have seen the texts that are compared")),
        "data",
    )  # fmt: skip


def _means(found: AlignmentFindings) -> list[Table]:
    keys = ["base", "setting", "steps", "adapter_seed", "task_adapter", "task", "layer", "metric"]
    said = (
        "95 % intervals for other languages (jackknife over languages; a language in every pair is held fixed); "
        "permuted: what the narrow cone that all vectors lie in gives by itself."
    )
    changes = beside_permuted(found["changes"], keys)
    return [
        _table(
            found, "layer_means", "Mean alignment over pairs, by layer", said, beside_permuted(found["levels"], keys),
            (SET, STATE_SAID, METRIC, LAYER, *INTERVAL, PERMUTED, PAIRS, Column("n_languages", "languages", "integer"),
             WHY),
            "layers",
        ),
        _table(
            found, "layer_changes", "Mean change against the untouched model, by layer",
            "Each pair is compared with itself under the untouched model; nudges are measured on the pairs of the "
            "language nudged on, and pooled. " + said,
            changes,
            (SET, STATE_SAID, METRIC, LAYER, *CHANGE, PERMUTED_CHANGE, PAIRS,
             Column("n_languages", "languages", "integer"), WHY),
            "changes",
        ),
    ]  # fmt: skip


def _pairs(found: AlignmentFindings) -> list[Table]:
    keys = [*STATE, *_CELL]
    columns = (SET, STATE_SAID, SOURCE, OTHER, METRIC)
    sizes = (Column("n_source", "texts", "integer"), Column("n_target", "of the other", "integer", wide=True),
             CATALOGUE["n_clusters"])  # fmt: skip
    return [
        _table(
            found, "pairs_middle", "Every pair at the middle layer",
            "States that are measured on all pairs. 95 % intervals for other texts: premises, documents or sentences "
            "are drawn whole, CKA by the jackknife over pairs of texts, retrieval by other queries against the same "
            "pool.",
            beside_permuted(found["pairs"], keys),
            (*columns, *INTERVAL, PERMUTED, *sizes, WHY),
            "pairs",
        ),
        _table(
            found, "pair_changes", "Every change at the middle layer",
            "Against the untouched model, text by text; 95 % intervals for other texts and, of nudges, other "
            "replicates.",
            beside_permuted(found["pair_changes"], keys),
            (*columns, *CHANGE, PERMUTED_CHANGE, *sizes, CATALOGUE["n_replicates"], WHY),
            "changes",
        ),
        _table(
            found, "pair_layers", "Every pair in every layer", "As the table of pairs, for the layers too.",
            beside_permuted(found["pair_layers"], keys), (*columns, LAYER, *INTERVAL, PERMUTED, *sizes, WHY),
        ),
    ]  # fmt: skip


def _nudges(found: AlignmentFindings) -> list[Table]:
    keys = ["base", "setting", "transfer", "corpus", "steps", "task", "metric"]
    frame = beside_permuted(found["nudges"], keys)
    return [
        _table(
            found, "nudges", "Which nudges move alignment at the middle layer",
            "Mean change over the pairs of the language nudged on. 95 % intervals for other partner languages and "
            "other replicates, on these texts; p Holm: over the entries of one setting, k, set and measure.",
            frame.assign(control=["" if name == "nudge" else name for name in frame["setting"]]),
            (SET, Column("control", "control"), *ENTRY, METRIC, *CHANGE, CATALOGUE["p"],
             Column("p_holm", "p Holm", "p"), PERMUTED_CHANGE,
             Column("net", "net", "number", 4, hint="change less that of permuted pairs"),
             Column("net_low", "net from", "number", 4), Column("net_high", "net to", "number", 4),
             Column("net_p_holm", "net p Holm", "p"), PAIRS, Column("n_up", "pairs up", "integer"),
             CATALOGUE["n_replicates"], WHY),
            "changes",
        )
    ]  # fmt: skip


def _prediction(found: AlignmentFindings) -> list[Table]:
    frame = found["prediction"]
    fits = frame.assign(
        scored=[metric_label(metric) for metric in frame["metric"]],
        pairing=["permuted" if permuted else "translations" for permuted in frame["permuted"]],
    )
    return [
        _table(
            found, "prediction", "Does the change of alignment predict ts?",
            "Doubly centred ts (percent) on the doubly centred change at the middle layer, self-pairs left out. Slope: "
            "percent of ts per 1 of the cosine; 95 % jackknife interval over languages, which is rather too wide (with "
            "independent errors its standard error is 1.5 to 1.7 times the true one); p by permuting rows and columns "
            "apart. Permuted: the change between permuted pairs, which has nothing to do with translation.",
            fits,
            (Column("texts", "texts"), Column("measure", "change of"), Column("pairing", "pairs"),
             Column("task", "task"), Column("scored", "metric"), CATALOGUE["steps"],
             Column("slope", "slope", "number", 2, "%"),
             Column("low", "from", "number", 2, "%"), Column("high", "to", "number", 2, "%"),
             Column("correlation", "r", "number", 2), Column("p", "p", "p"),
             Column("p_holm", "p Holm", "p", hint="over all sets, tasks and k of one measure and pairing"), PAIRS,
             Column("n_transfers", "transfer languages", "integer", wide=True),
             Column("n_targets", "targets", "integer", wide=True), Column("why", "no slope because", wide=True)),
            "prediction",
        ),
        _table(
            found, "prediction_points", "Pairs behind the prediction",
            "ts and changes, as they are and doubly centred.",
            found["points"],
            (Column("texts", "texts"), Column("predictor", "change of"), Column("task", "task"), CATALOGUE["steps"],
             CATALOGUE["transfer"], CATALOGUE["target"], Column("change", "change", "number", 4),
             Column("ts", "ts", "number", 2, "%"), Column("change_centred", "centred change", "number", 4),
             Column("ts_centred", "centred ts", "number", 2, "%")),
        ),
    ]  # fmt: skip


def _run(found: AlignmentFindings) -> list[Table]:
    return [
        _table(
            found, "failures", "Units that failed",
            "Their pairs are missing everywhere, never 0; the next run tries them again.", found["failures"],
            (Column("unit", "unit"), Column("what", "what"), Column("error", "error"), Column("message", "message")),
            "run",
        ),
        _table(
            found, "progress", "States that were measured",
            "Entries: corpora nudged on; replicates: as the study asks for each.", found["progress"],
            (STATE_SAID, Column("entries", "entries", "integer"), Column("replicates", "replicates", "integer"),
             Column("there", "models", "integer"), Column("short", "entries that lack replicates", "integer")),
            "run",
        ),
        _table(
            found, "stored_options", "Options stored with the rows", "As every row of the measurements names them.",
            found["stored_options"],
            (Column("option", "option"), Column("value", "value"), Column("n_rows", "rows", "integer")),
            "run",
        ),
    ]  # fmt: skip
