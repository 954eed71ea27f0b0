"""Do the tasks agree on the best transfer languages? A rank per language and task. Source: faisal2024, Figure 6."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import condition
from xltransfer.figures.look import FAINT, INK, SMALL, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_unique
from xltransfer.figures.places import Places, Show, ink_legend
from xltransfer.figures.rows import height_of, numbers_beside
from xltransfer.figures.text import shown, wrapped

_TOP: Final = "#2F5D8A"
_ENTRY: Final = ["transfer", "corpus"]


@house_look()
def common_top_ranks(
    ranks: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    steps: int | None = None,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the ranks of all transfer entries in all tasks, those in the top of most tasks first.

    Parameters
    ----------
    ranks
        Columns base, steps, transfer, corpus, task, rank, top, in_top, n_tops: what ``top_ranks`` gives.
    languages
        Columns code, name, family, genus, seen.
    base, steps
        Which ranks; what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the lines ask for.

    Returns
    -------
    Figure
        Filled cells are in the top of their task; the number at the right counts them.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, or a language is not in ``languages``.
    """
    require_columns(ranks, [*_ENTRY, "task", "rank", "top", "in_top", "n_tops"], "ranks")
    rows, key = pick(ranks, "ranks", base=base, steps=steps)
    require_unique(rows, [*_ENTRY, "task"], "ranks")
    counts, mean = (rows.groupby(_ENTRY)[name].mean() for name in ("n_tops", "rank"))
    order = pd.DataFrame({"tops": -counts, "mean": mean}).sort_values(["tops", "mean"]).index
    table, tops = (rows.pivot(index=_ENTRY, columns="task", values=name).loc[order] for name in ("rank", "in_top"))
    places = Places(languages, show)
    members = [places[code] for code, _ in order]
    figure = new_figure(size or (2.4 + 0.62 * len(table.columns), height_of(len(table))))
    axes = figure.subplots()
    _draw_grid(axes, table.to_numpy(dtype=np.float64), tops.to_numpy(dtype=np.bool_))
    axes.set_xticks(range(len(table.columns)), [wrapped(shown(task), SMALL, 50.0) for task in table.columns])
    axes.set_yticks(range(len(order)), places.labels([(str(a), str(corpus)) for a, corpus in order]))
    for label, place in zip(axes.get_yticklabels(), members, strict=True):
        label.set_color(place.ink)
    numbers_beside(axes, [str(int(counts[entry])) for entry in order], "tasks")
    legend = [Patch(facecolor=_TOP, label=f"among the {rows['top'].iloc[0]} best of the task"), *ink_legend(members)]
    everywhere = int((counts == len(table.columns)).sum())
    caption = f"Ranks by aggregated transfer, 1 is best. In the top of all tasks: {everywhere} of {len(order)} entries."
    entitle(figure, f"Common top: {condition(key)}", caption, legend)
    return figure


def _draw_grid(axes: Axes, ranks: NDArray[np.float64], filled: NDArray[np.bool_]) -> None:
    """Draw a cell per rank [line, task], filled or faint, with white lines between the rows."""
    axes.imshow(filled.astype(float), cmap=ListedColormap([FAINT, _TOP]), norm=Normalize(0, 1), aspect="auto")
    for (line, column), rank in np.ndenumerate(ranks):
        ink = "white" if filled[line, column] else INK
        axes.text(column, line, f"{rank:.0f}", ha="center", va="center", size=SMALL, color=ink)
    axes.tick_params(length=0, labelbottom=False, labeltop=True)
    axes.spines[:].set_visible(False)
    axes.set_yticks(np.arange(len(ranks) + 1) - 0.5, minor=True)
    axes.grid(which="minor", axis="y", color="white", linewidth=1.0)
    axes.tick_params(which="minor", length=0)
