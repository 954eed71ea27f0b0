"""Which figures the report of an interaction run has: a plane per condition and control, and who improves at all."""

from collections.abc import Iterator

from xltransfer.report.charts import Chart
from xltransfer.report.interaction.subject import AGAINST, CALLED, Condition, Subject
from xltransfer.report.numbers import count, listed


def charts(subject: Subject) -> list[Chart]:
    """Return all charts of a report."""
    planes = [chart for condition in subject.conditions for chart in _planes(subject, condition)]
    return [*planes, *_bars(subject)]


def _planes(subject: Subject, condition: Condition) -> Iterator[Chart]:
    """Yield the planes of one condition, one for each control: pairs and threes side by side."""
    found = subject.findings
    languages = found.languages[found.languages["code"].isin(found["projections"]["language"])]
    sizes = listed([CALLED[size] for size in subject.sizes])
    third = " In threes the colour is z, what the third language receives." if 3 in subject.sizes else ""
    for control in subject.controls:
        against, rows = AGAINST[control], subject.rows("projections", condition, control=control)
        wide = int(rows["covers_plane"].sum())
        beyond = f" Not to be seen: {count(wide, 'ellipse')} wider than the whole plane." if wide else ""
        yield Chart(
            f"plane_{subject.slug(condition)}_{control}",
            f"Who receives and who gives, against {against}: {subject.said(condition)}",
            f"Every language as A in its {sizes}. To the right: it gains when it is fused with others. Up: its "
            f"partners gain when they are fused with it.{third} An ellipse that holds the origin shows "
            f"nothing.{beyond}",
            "interference",
            (rows, languages),
            condition.key | {"control": control},
            condition,
        )


def _bars(subject: Subject) -> Iterator[Chart]:
    """Yield, for each base and kind of fusion, how many languages score above the task adapter alone."""
    shares = subject.findings["improvement"]
    for base, fusion in shares[["base", "fusion"]].drop_duplicates().itertuples(index=False, name=None):
        own = shares[(shares["base"] == base) & (shares["fusion"] == fusion)]
        suffix = "" if "base" in subject.hidden else f"_{base}"
        yield Chart(
            f"improvement_{fusion}{suffix}",
            f"Languages above the task adapter alone: {fusion} fusion" + ("" if not suffix else f", {base}"),
            "Percent of languages that score higher with language adapters than without, on their own test data.",
            "improvement",
            (own,),
            {"base": base},
        )
