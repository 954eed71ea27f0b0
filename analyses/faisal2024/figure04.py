"""Figure 4: languages by what they receive and what they give in pairs and in threes, one figure per task.

From a run of protocol ``interaction``. The paper compares with the single adapter; where the run has the capacity
control there is a second figure against two adapters of the same language.
"""

from results import Made, Results, item
from table06 import run_patterns

from xltransfer.analysis.interference_projection import interference_projections
from xltransfer.figures.interference import interference_plane

CONDITION = ["base", "task", "metric", "fusion", "control"]


def figure04(results: Results) -> Made:
    """A figure per task, kind of fusion and control where any language has a point, and all points as a table."""
    points = interference_projections(run_patterns(results))
    shown = points[points["x"].notna()]
    languages = results.languages[results.languages["code"].isin(points["language"])]
    figures = {}
    for where in shown[CONDITION].drop_duplicates().to_dict("records"):
        name = "_".join(["figure04", *(str(where[key]) for key in CONDITION if key != "metric")])
        figures[name] = interference_plane(points, languages, **where)
    return {**figures, "figure04_points": points}


if __name__ == "__main__":
    item(figure04)
