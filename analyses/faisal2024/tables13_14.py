"""Tables 13 and 14: what every transfer language scores on its own test sets by steps, in inference and in questions.

From a run of protocol ``transfer`` with tasks of the shapes nli and qa, whatever they are called. In the paper mBERT
falls from 81 to 45 on XNLI after one step, which the loss of the pooler alone may explain; ``ts`` stands beside the
scores.
"""

from results import Made, Results, item, self_scores

from xltransfer.errors import ConfigError

SHAPES = {"nli": "table13", "qa": "table14"}
"""Shape of a task -> the table of the paper that shows such a task."""


def tables13_14(results: Results) -> Made:
    """One table per task, best untouched score first, as in the paper."""
    scores = self_scores(results)
    shapes = {task["name"]: task["shape"] for task in results.run.study["tasks"]}
    made = {}
    for task, rows in scores.groupby("task"):
        if shapes[str(task)] in SHAPES:
            ordered = rows.sort_values(["base", "base_score"], ascending=[True, False], ignore_index=True)
            name = f"{SHAPES[shapes[str(task)]]}_{task}"
            made[name] = ordered.assign(unseen=ordered["transfer"].isin(results.unseen))
    if not made:
        raise ConfigError(
            f"{results.run.folder} has scores of the tasks {', '.join(sorted(scores['task'].unique()))}, none of the "
            "shapes nli and qa, or of no language that is transfer language and target; Tables 13 and 14 need both"
        )
    return made


if __name__ == "__main__":
    item(tables13_14)
