"""Tables as LaTeX and as data of the page: hand-made frames, texts written by hand, and a LaTeX-free parser."""

import json
import re

import numpy as np
import pandas as pd

from xltransfer.report.latex import LONG, escape, latex
from xltransfer.report.tables import Column, Table, page_data, shown_text

FRAME = pd.DataFrame(
    {
        "target": ["wol", "qaa"],
        "task": ["pos", "a_b & 50%"],
        "ts": [-1.23456, np.nan],
        "n": pd.array([1200, None], dtype="Int64"),
        "p": [0.0000004, 0.0456],
        "holds": [True, False],
    }
)
COLUMNS = (
    Column("target", "target", "language"), Column("task", "task"), Column("ts", "ts", "number", 2, "%"),
    Column("n", "items", "integer"), Column("p", "p", "p"), Column("holds", "holds", "flag"),
)  # fmt: skip
TABLE = Table("some", "A title", "Of 100 %.", FRAME, COLUMNS, {"wol": "Wolof (wol)", "qaa": r"x^2 \ {y} $z$ ~"})


def test_shows_names_dashes_and_digits() -> None:
    shown = [shown_text(TABLE, column) for column in COLUMNS]
    assert shown[0] == ["Wolof (wol)", r"x^2 \ {y} $z$ ~"]
    assert shown[2:] == [["\u22121.23", "–"], ["1,200", "–"], ["< 0.001", "0.046"], ["yes", ""]]


def test_latex_is_booktabs_with_units_and_everything_escaped() -> None:
    assert latex(TABLE) == (
        "\\begin{table}\n\\centering\n\\small\n"
        "\\caption{A title. Of 100 \\%.}\\label{tab:some}\n"
        "\\begin{tabular}{llrrrl}\n\\toprule\n"
        "target & task & ts (\\%) & items & p & holds \\\\\n\\midrule\n"
        "Wolof (wol) & pos & $-$1.23 & 1,200 & \\textless{} 0.001 & yes \\\\\n"
        "x\\textasciicircum{}2 \\textbackslash{} \\{y\\} \\$z\\$ \\textasciitilde{} & a\\_b \\& 50\\% & "
        "-- & -- & 0.046 &  \\\\\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def test_a_backslash_is_not_escaped_twice() -> None:
    assert escape("\\{") == r"\textbackslash{}\{"
    assert escape("\u2068עברית\u2069\n") == "עברית "


def test_long_tables_break_over_pages_and_keep_every_row() -> None:
    frame = pd.DataFrame({"task": [f"t{i}" for i in range(LONG)]})
    text = latex(Table("long", "Long", "Caption.", frame, (Column("task", "task"),)))
    assert text.startswith("\\begin{longtable}{l}") and text.endswith("\\end{longtable}\n")
    assert re.findall(r"^t\d+ \\\\$", text, re.MULTILINE) == [f"t{i} \\\\" for i in range(LONG)]
    assert "\\begin{tabular}" not in text


def test_page_data_are_json_with_null_for_undefined() -> None:
    data = json.loads(json.dumps(page_data(TABLE), allow_nan=False))
    assert data["rows"] == 2
    assert [column["head"] for column in data["columns"]] == ["target", "task", "ts", "items", "p", "holds"]
    names, _, ts, n, p, holds = data["values"]
    assert [names["of"][k] for k in names["at"]] == ["Wolof (wol)", r"x^2 \ {y} $z$ ~"]
    assert ts == [-1.2346, None] and n == [1200, None]
    assert p == [4e-7, 0.0456]
    assert [holds["of"][k] for k in holds["at"]] == ["yes", ""]


def test_infinite_is_undefined_on_the_page() -> None:
    table = Table("x", "x", "x", pd.DataFrame({"v": [np.inf, -np.inf, 1.5]}), (Column("v", "v", "number"),))
    assert page_data(table)["values"] == [[None, None, 1.5]]
    assert shown_text(table, table.columns[0]) == ["–", "–", "1.50"]
