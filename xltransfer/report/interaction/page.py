"""The page of an interaction run: which sections there are, and what stands in each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from xltransfer import __version__
from xltransfer.figures.labels import metric_label
from xltransfer.report.assembled import Drawn
from xltransfer.report.blocks import (
    audit_blocks,
    failure_notices,
    options_section,
    picture,
    run_section,
    table_block,
)
from xltransfer.report.interaction import sentences as say
from xltransfer.report.interaction.methods import CITE, METHODS
from xltransfer.report.interaction.subject import AGAINST, Condition, Subject
from xltransfer.report.names import isolated
from xltransfer.report.numbers import count, listed
from xltransfer.report.page import Block, Page, Points, Prose, Section, Switch
from xltransfer.report.provenance import run_facts
from xltransfer.report.sentences import Words
from xltransfer.report.tables import Table

ORDERS: Final = {
    "listed": "the earlier one in the study",
    "near_far": "the typologically nearer one",
    "both": "each of the two once",
}
"""Which of A's two partners is B."""


class Composer:
    """Puts blocks together; knows which files belong to what."""

    def __init__(self, subject: Subject, tables: Sequence[Table], drawn: Drawn, audit: Mapping[str, Table]) -> None:
        self.subject = subject
        self.findings = subject.findings
        self.tables = {table.name: table for table in tables}
        self.drawn = drawn
        self.audit = audit

    def page(self, run_size: str) -> Page:
        """Return the page."""
        sections = [
            self._summary(), self._planes(), self._signs(), self._capacity(), self._fusions(), self._alone(),
            Section("compositions", "Every composition", self._table("compositions")), self._data(),
            self._run(run_size), self._options(), self._methods(),
        ]  # fmt: skip
        return Page(
            title=f"Interaction report: {isolated(str(self.findings.header.study.get('name', 'unnamed study')))}",
            lead=self._lead(),
            notices=self._notices(),
            sections=[section for section in sections if section.blocks],
        )

    def _table(self, *names: str) -> list[Block]:
        """Return the tables that have rows."""
        return [block for name in names for block in table_block(self.tables.get(name))]

    # What there is.

    def _lead(self) -> str:
        """Return one sentence about the run."""
        rows = self.findings["differences"]
        fused = rows[["size", "members"]].drop_duplicates().groupby("size").size()
        sizes = [count(int(fused[size]), "pair" if size == 2 else "three") for size in self.subject.sizes]
        kinds = listed(list(dict.fromkeys(each.fusion for each in self.subject.conditions)))
        tasks = [
            f"{isolated(task)} ({metric_label(self.findings.metrics[task])})"
            for task in dict.fromkeys(task for _, task in self.subject.pairs)
        ]
        bases = listed([isolated(base) for base in dict.fromkeys(base for base, _ in self.subject.pairs)])
        return (
            f"Base model {bases}; {count(rows['language'].nunique(), 'language')}, a language adapter each; "
            f"{listed(sizes)} of them fused ({kinds}) under a task adapter, scored on the members' own test data: "
            f"{listed(tasks)}."
        )

    def _notices(self) -> list[str]:
        """Return what a reader must know before the numbers."""
        notices, progress = failure_notices(self.findings["failures"]), self.findings["progress"]
        missing, wanted = int(progress["missing"].sum()), int(progress["wanted"].sum())
        if missing:
            notices.append(f"The run is not finished: {missing:,} of {wanted:,} compositions have no scores yet.")
        if "second_adapter" not in self.subject.controls:
            notices.append(
                "The study has no capacity control, [AA′]: a gain of [AB] over [A] may be one of more weights, and "
                "says nothing sure about B."
            )
        return notices

    def _heading(self, base: str, task: str) -> str:
        """Return how a task is called above its blocks."""
        name = f"{isolated(task)} {metric_label(self.findings.metrics[task])}"
        return name if "base" in self.subject.hidden else f"{name}, {isolated(base)}"

    # Sections.

    def _summary(self) -> Section:
        blocks: list[Block] = []
        for base, task in self.subject.pairs:
            for condition in self.subject.of_task(base, task):
                heading = self._heading(base, task)
                heading += f", {condition.fusion} fusion" if "fusion" not in self.subject.hidden else ""
                blocks.append(Points(list(self._sentences(condition)), heading))
            between = self._between(base, task)
            blocks += [Points(between, f"{self._heading(base, task)}, kinds of fusion")] if between else []
        return Section("summary", "Summary", blocks)

    def _words(self, task: str) -> Words:
        return Words(task, self.findings.metrics[task], "delta", self.subject.labels)

    def _sentences(self, condition: Condition) -> Iterator[str]:
        """Yield what the numbers of one condition say."""
        subject, words = self.subject, self._words(condition.task)
        for size in subject.sizes:
            for control in subject.controls:
                rows = subject.rows("balance", condition, size=size, control=control)
                yield from (say.balance(row, words) for row in rows.to_dict("records"))
            rows = subject.rows("control", condition, size=size)
            yield from (say.capacity(row, words) for row in rows.to_dict("records"))
        found: list[str | None] = []
        for control in subject.controls:
            for size in subject.sizes:
                rows = subject.rows("projections", condition, size=size, control=control)
                found.append(say.places(rows, size, control, subject.labels))
            found.append(say.sampling(subject.rows("compositions", condition), control))
        found.append(say.improved(subject.rows("improvement", condition)))
        yield from (sentence for sentence in found if sentence)

    def _between(self, base: str, task: str) -> list[str]:
        """Return how kinds of fusion differ in a task."""
        rows = self.findings["fusions"]
        rows = rows[(rows["base"] == base) & (rows["task"] == task)]
        return [say.fusions(row, self._words(task)) for row in rows.to_dict("records")]

    def _planes(self) -> Section:
        blocks: list[Block] = []
        for base, task in self.subject.pairs:
            panels = [
                (self._panel(chart.condition, str(chart.choice["control"])), [picture(chart, drawing)])
                for chart, drawing in self.drawn
                if chart.figure == "interference" and chart.condition in self.subject.of_task(base, task)
            ]
            blocks.append(Switch("control and kind of fusion", panels, 0, self._heading(base, task)))
        return Section("places", "Who receives and who gives", [*blocks, *self._table("projections")])

    def _panel(self, condition: object, control: str) -> str:
        """Return what a panel of planes is called."""
        assert isinstance(condition, Condition)
        against = f"against {AGAINST[control]}"
        return against if "fusion" in self.subject.hidden else f"{condition.fusion}, {against}"

    def _signs(self) -> Section:
        return Section("signs", "Gains and losses, counted", self._table("balance", "signs_pairs", "signs_threes"))

    def _capacity(self) -> Section:
        return Section("capacity", "What more capacity alone gives", self._table("capacity"))

    def _fusions(self) -> Section:
        return Section("fusions", "Kinds of fusion", self._table("fusions"))

    def _alone(self) -> Section:
        bars = [picture(chart, drawing) for chart, drawing in self.drawn if chart.figure == "improvement"]
        return Section("alone", "With and without language adapters", [*bars, *self._table("improvement", "adapters")])

    def _data(self) -> Section:
        return Section("data", "The data", [*self._table("baseline", "targets"), *audit_blocks(self.audit)])

    def _run(self, run_size: str) -> Section:
        return run_section(self.findings.header, self._facts(), self._table("failures", "progress"), run_size)

    def _facts(self) -> list[tuple[str, str]]:
        options = self.findings.options
        nearer = f", by {options.features} of URIEL" if options.order == "near_far" else ""
        return [
            *run_facts(self.findings.header, __version__),
            ("of A's two partners, B is", ORDERS[options.order] + nearer),
            ("differences that are ties", _ties(options.dead_zone)),
        ]

    def _options(self) -> Section:
        return options_section(self.findings["options"], self._table("options", "stored_options"))

    def _methods(self) -> Section:
        cite = [f"xltransfer, version {__version__}.", *CITE]
        return Section("methods", "What the numbers mean, and whom to cite", [Prose(METHODS), Points(cite, "Cite")])


def _ties(dead_zone: float) -> str:
    return f"up to {dead_zone:g} item standard errors" if dead_zone else "equal scores only"
