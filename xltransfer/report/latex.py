"""Tables as LaTeX: booktabs, one file a table, everything that comes from data escaped."""

from typing import Final

from xltransfer.report.numbers import MINUS, UNDEFINED
from xltransfer.report.tables import Table, shown_text

LONG: Final = 45
"""Rows from which a table breaks over pages (longtable)."""

_ESCAPES: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        MINUS: "$-$",
        "\n": " ",
        "\r": " ",
        "\u00a0": "~",
        # Isolates of the page's sentences mean nothing to LaTeX.
        "\u2068": "",
        "\u2069": "",
    }
)


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it is: ``50 %`` becomes ``50 \%``."""
    return text.translate(_ESCAPES)


def latex(table: Table) -> str:
    """Return the table with caption and label; it needs the packages booktabs and, from `LONG` rows on, longtable.

    Columns that only the page has room for are left out.
    """
    shown = [column for column in table.columns if not column.wide]
    columns = [[_cell(text) for text in shown_text(table, column)] for column in shown]
    heads = " & ".join(escape(column.title) for column in shown)
    places = "".join("l" if column.is_text else "r" for column in shown)
    rows = [f"{' & '.join(cells)} \\\\" for cells in zip(*columns, strict=True)]
    caption = rf"\caption{{{escape(f'{table.title}. {table.caption}')}}}\label{{tab:{table.name}}}"
    head = f"\\toprule\n{heads} \\\\\n\\midrule\n"
    if len(rows) < LONG:
        body = [*rows, r"\bottomrule"]
        inner = f"\\begin{{tabular}}{{{places}}}\n{head}" + "\n".join(body) + "\n\\end{tabular}"
        return f"\\begin{{table}}\n\\centering\n\\small\n{caption}\n{inner}\n\\end{{table}}\n"
    start = f"\\begin{{longtable}}{{{places}}}\n{caption} \\\\\n{head}\\endfirsthead\n{head}\\endhead\n"
    return start + "\\bottomrule\n\\endfoot\n" + "\n".join(rows) + "\n\\end{longtable}\n"


def _cell(text: str) -> str:
    """Return a value as LaTeX; the dash of an undefined one is typed as an en dash."""
    return "--" if text == UNDEFINED else escape(text)
