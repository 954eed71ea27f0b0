"""Figure 3: (a) who receives positive transfer in parsing, (b) one transfer language over the steps, in all tasks."""

from results import Made, Results, item

from xltransfer.analysis import progression, rank_transfer_languages, recipients
from xltransfer.figures import progression as progression_figure
from xltransfer.figures import recipient_map

TASK = "dep"


def figure03(results: Results) -> Made:
    """Panel (a) for parsing at the smallest k (Figure 5 has all), panel (b) for the language of largest variance."""
    ts = results.ts[results.ts["task"] == TASK]
    first = int(ts["steps"].min())
    received = recipients(ts[ts["steps"] == first]).dropna(subset=["percent_positive"])
    ranking = rank_transfer_languages(ts, steps=first)
    chosen = ranking.sort_values("variance", ascending=False).iloc[0]
    lines = progression(results.changes)
    of_chosen = lines[(lines["transfer"] == chosen["transfer"]) & (lines["corpus"] == chosen["corpus"])]
    return {
        "figure03a_recipients": recipient_map(received, results.languages),
        "figure03b_progression": progression_figure(of_chosen, results.languages, lines="task"),
        "figure03b_progression_rows": of_chosen,
    }


if __name__ == "__main__":
    item(figure03)
