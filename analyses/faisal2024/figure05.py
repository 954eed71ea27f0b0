"""Figure 5: the recipient transfer map of every task: who always, mostly or never receives positive transfer."""

from results import Made, Results, conditions, file_name, item

from xltransfer.analysis import recipients
from xltransfer.figures import recipient_map


def figure05(results: Results) -> Made:
    """One figure per task and k, and the frame behind them."""
    frame = recipients(results.ts).dropna(subset=["percent_positive"])
    figures = {
        file_name("figure05_recipients", where): recipient_map(frame, results.languages, **where)
        for where in conditions(frame)
    }
    return {"figure05_recipients": frame, **figures}


if __name__ == "__main__":
    item(figure05)
