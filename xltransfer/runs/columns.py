"""The declared columns of a results folder: one table of measurements, one of item counts.

Declared once, as data: the shards' Arrow schemas, the frames of ``open_run`` and the documentation are read off here.
"""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """A column: its name, what kind of values it holds, and what they mean."""

    name: str
    kind: Literal["text", "integer", "number"]
    meaning: str

    @property
    def field(self) -> pa.Field:
        """The Arrow field; only integers may be missing, text is empty instead and numbers are NaN."""
        types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
        return pa.field(self.name, types[self.kind], nullable=self.kind == "integer")


COLUMNS: tuple[Column, ...] = (
    Column("unit", "text", "Id of the unit of work that made the row."),
    Column("protocol", "text", "Protocol of the study, for example `transfer`."),
    Column("base", "text", "Name of the base model."),
    Column("setting", "text", "What was done to the base: `baseline`, `nudged`, a control or a noise measurement."),
    Column("transfer", "text", "Code of the transfer language; empty where the setting has none."),
    Column("corpus", "text", "Corpus of the transfer language; empty where the setting has none."),
    Column("steps", "integer", "Optimizer steps k of the nudge; missing where the setting has none."),
    Column("replicate", "integer", "Number of the replicate, from 0; missing where the setting has none."),
    Column("adapter_seed", "integer", "Which of the task adapter's seeds, from 0; missing for a task without adapter."),
    Column("task", "text", "Name of the task."),
    Column("dataset", "text", "Dataset of the target: tells two treebanks of one language apart."),
    Column("target", "text", "Code of the target language."),
    Column("metric", "text", "Name of the metric; `name[LABEL]` for the part under one gold label."),
    Column("score", "number", "Score in the metric's unit (percent or nats); NaN where undefined, never 0."),
    Column("n_items", "integer", "Items (sentences, blocks) of the target."),
    Column("n_scored", "integer", "Items that were scored, the others being lost to the length limit."),
    Column("seed", "integer", "Seed of the random stream of the row; missing where nothing was drawn."),
    Column("device", "text", "Kind of device: `cpu` or `cuda`."),
    Column("options", "text", "Named choices and deviations as canonical JSON."),
)
"""Columns of the measurements, in order."""

CELL_COLUMNS: tuple[str, ...] = (
    *("setting", "transfer", "corpus", "steps", "replicate", "adapter_seed", "task", "dataset", "target", "options"),
)
"""Columns that tell the cells of one unit apart; they join items with measurements."""

_BY_NAME = {column.name: column for column in COLUMNS}

MEASUREMENTS = pa.schema([column.field for column in COLUMNS])
"""Arrow schema of a measurements shard."""

ITEMS = pa.schema(
    [
        *(_BY_NAME[name].field for name in ("unit", *CELL_COLUMNS)),
        pa.field("count", pa.string(), nullable=False),  # name of the count column
        pa.field("label", pa.string(), nullable=False),  # gold label, empty for the count over all labels
        pa.field("dtype", pa.string(), nullable=False),  # NumPy type of the values, little-endian
        pa.field("values", pa.binary(), nullable=False),  # one number per item, in the order of the target's items
    ]
)
"""Arrow schema of an items shard: one row per cell, count column and label."""

TARGETS = pa.schema([pa.field("item", pa.string(), nullable=False), pa.field("cluster", pa.string(), nullable=False)])
"""Arrow schema of a target's item identities."""
