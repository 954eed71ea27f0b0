"""The page of a report: which sections there are, and what stands in each.

Tables and charts are declared in `contents` and `charts`; here they are put in order, beside sentences made of the same
numbers. A section of which a run has nothing is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from xltransfer import __version__
from xltransfer.figures.pair_heatmap import feature_label
from xltransfer.figures.places import Places
from xltransfer.report import sentences as say
from xltransfer.report.blocks import (
    audit_blocks,
    failure_notices,
    options_section,
    picture,
    run_section,
    table_block,
)
from xltransfer.report.charts import Chart
from xltransfer.report.heatmaps import colours, heatmap_spec
from xltransfer.report.names import isolated
from xltransfer.report.numbers import count, listed
from xltransfer.report.overview import zero_steps_verdict
from xltransfer.report.page import (
    Block,
    Page,
    Points,
    Prose,
    Section,
    ShownHeatmap,
    Switch,
)
from xltransfer.report.pictures import Drawing
from xltransfer.report.provenance import CITATIONS, run_facts
from xltransfer.report.subject import Condition, Subject
from xltransfer.report.tables import Table
from xltransfer.report.typology_sentences import pairs_said

METHODS: Final = (
    "A transfer score ts is the change of a target's score in percent of the untouched model's, after a nudge: a few "
    "optimizer steps of masked-language modelling on text of the transfer language. Every replicate is a nudge of its "
    "own; one nudged model scores all targets. Scores of untouched and nudged model are taken on the same sentences. "
    "Positive is an improvement, for losses too. Where the baseline is 0, ts is undefined and not 0.",
    "Replicates and sentences (by the document, premise or paragraph that they belong to) are crossed, and both are "
    "random. The variance of a cell is (MS replicate + MS sentence − MS rest)/(R·J), linearised for F1 and for the "
    "ratio, and the interval is a t interval with Satterthwaite's degrees of freedom. For new sentences both vary, for "
    "this test set only replicates. An aggregate over targets takes targets as random in the place of sentences (new "
    "targets).",
    "p-values are two-sided and come from the same statistic. Holm and Benjamini-Hochberg correct over all cells of "
    "one base, task, metric and k. Rank sets hold for all transfer languages at once (max-t over all pairs). A target "
    "whose baseline is not shown to be above the trivial predictor, or that is too small or unreadable for the "
    "tokenizer, is shown but counts in no aggregate.",
)


class Composer:
    """Puts blocks together; knows which files belong to what."""

    def __init__(
        self,
        subject: Subject,
        tables: Sequence[Table],
        drawn: Sequence[tuple[Chart, Drawing | str]],
        audit: Mapping[str, Table] | None = None,
    ) -> None:
        self.subject = subject
        self.findings = subject.findings
        self.tables = {table.name: table for table in tables}
        self.drawn = drawn
        self.audit = audit or {}
        self.places = Places(self.findings.languages)

    def page(self, run_size: str) -> Page:
        """Return the page."""
        sections = [
            self._summary(), self._languages(), self._cells(), self._targets(), self._steps(), self._between(),
            self._why(), self._sure(), self._labels(), self._controls(), self._data(), self._run(run_size),
            self._options(), self._methods(),
        ]  # fmt: skip
        return Page(
            title=f"Transfer report: {isolated(str(self.findings.header.study.get('name', 'unnamed study')))}",
            lead=self._lead(),
            notices=self._notices(),
            sections=[section for section in sections if section.blocks],
            colours=colours(),
        )

    # What there is.

    def _lead(self) -> str:
        """Return one sentence about the run."""
        ts = self.findings["ts"]
        if ts.empty:
            return "No nudged model has been scored: there are baselines and controls, but no transfer scores."
        bases = listed([isolated(base) for base in dict.fromkeys(base for base, _ in self.subject.pairs)])
        steps = listed([f"{k}" for k in sorted({int(k) for k in ts["steps"]})])
        targets = ts[["task", "dataset", "target"]].drop_duplicates().groupby("task").size()
        tasks = [f"{isolated(task)} ({count(int(targets[task]), 'target')})" for task in self.subject.tasks]
        languages, corpora = ts["transfer"].nunique(), ts["corpus"].nunique()
        who = count(languages, "transfer language") + (f" ({corpora} corpora)" if corpora > languages else "")
        return (
            f"Base model {bases}; {who}, up to {count(int(ts['n_replicates'].max()), 'replicate')} each, after k = "
            f"{steps} optimizer steps; scored on {listed(tasks)}."
        )

    def _notices(self) -> list[str]:
        """Return what a reader must know before the numbers."""
        notices, progress = failure_notices(self.findings["failures"]), self.findings["progress"]
        missing, wanted = int(progress["missing"].sum()), int(progress["wanted"].sum())
        if missing:
            notices.append(f"The run is not finished: {missing:,} of {wanted:,} nudged models have no scores yet.")
        verdict = self._zero_steps()
        if "FAIL" in verdict:
            notices.append(f"{verdict}. Nothing below can be trusted.")
        if self.findings["ts"]["n_replicates"].max() == 1:
            notices.append(
                "There is one replicate, so nothing has an interval: no difference below is shown to be one."
            )
        return notices

    def _table(self, name: str, heading: str = "") -> list[Block]:
        """Return a table if it has rows."""
        return table_block(self.tables.get(name), heading)

    def _pictures(self, figure: str, condition: Condition | None = None) -> list[Block]:
        """Return the drawn charts of one kind, of one condition if it is given."""
        return [
            picture(chart, drawing)
            for chart, drawing in self.drawn
            if chart.figure == figure and (condition is None or chart.condition == condition)
        ]

    def _switch(self, base: str, task: str, blocks: Any, heading: str) -> Switch:
        """Return panels over the numbers of steps of a task; the headline is seen first."""
        conditions = self.subject.of_task(base, task)
        panels = [(f"k = {each.steps}", blocks(each)) for each in conditions]
        return Switch("number of steps", panels, conditions.index(self.subject.headline(base, task)), heading)

    def _heading(self, base: str, task: str) -> str:
        """Return how a task is called above its panels."""
        condition = self.subject.headline(base, task)
        return isolated(self.subject.said(condition).split(", k =")[0]) + (
            "" if "base" in self.subject.hidden else f", {isolated(base)}"
        )

    # Sections.

    def _summary(self) -> Section:
        blocks: list[Block] = []
        for base, task in self.subject.pairs:
            condition = self.subject.headline(base, task)
            heading = f"{self._heading(base, task)}, k = {condition.steps}"
            blocks.append(Points(self._sentences(condition), heading))
        blocks.append(Points(self._checks(), "Controls and noise floor"))
        return Section("summary", "Summary", blocks)

    def _sentences(self, condition: Condition) -> list[str]:
        """Return what the numbers of one condition say."""
        subject, options = self.subject, self.findings.options
        words = say.Words(condition.task, condition.metric, options.scale, subject.labels, subject.several)
        aggregates = subject.rows("aggregates", condition, weighting="macro", include_self=True)
        cells = subject.rows("cells", condition)
        ts = subject.rows("ts", condition)
        usual = float(ts.loc[ts["aggregated"], "ts"].abs().median())
        found = [
            say.extremes(aggregates, words),
            say.away_from_zero(aggregates),
            say.ranks(subject.rows("rank_sets", condition), words),
            say.surviving(cells),
            *(say.more_than_chance(row) for _, row in subject.rows("percent_positive", condition).iterrows()),
            say.detectable(subject.rows("detectable", condition), usual, words),
            say.reliable(subject.rows("reliability", condition)),
            say.seen_or_not(subject.rows("seen_differences", condition), words),
        ]
        return [sentence for sentence in found if sentence]

    def _zero_steps(self) -> str:
        """Return whether k = 0 changed anything, and whether it may."""
        return zero_steps_verdict(self.findings["controls"], str(self.findings.header.study["nudge"]["pooler"]))

    def _checks(self) -> list[str]:
        """Return what the controls say."""
        metrics = self.findings.metrics
        found: list[str | None] = [f"Control {self._zero_steps()}."]
        found += say.noise(self.findings["noise"], metrics)
        for task, metric in metrics.items():
            found += [
                say.control(self.findings["controls"], task, metric, name) for name in ("random_sign", "shuffled_text")
            ]
        return [sentence for sentence in found if sentence]

    def _languages(self) -> Section:
        def blocks(condition: Condition) -> list[Block]:
            return [*self._pictures("forest", condition), *self._table(f"ranking_{self.subject.slug(condition)}")]

        shown = [self._switch(base, task, blocks, self._heading(base, task)) for base, task in self.subject.pairs]
        return Section("languages", "Which transfer languages help", shown)

    def _cells(self) -> Section:
        shown: list[Block] = [
            self._switch(base, task, self._heatmaps, self._heading(base, task)) for base, task in self.subject.pairs
        ]
        violins = [
            (self._heading(*pair), self._pictures("violins", self.subject.headline(*pair)))
            for pair in self.subject.pairs
        ]
        spread: list[Block] = [Switch("task", violins, 0, "How much it varies over targets")] if violins else []
        return Section("cells", "Who helps whom", [*shown, *spread, *self._table("cells", "All cells")])

    def _heatmaps(self, condition: Condition) -> list[Block]:
        """Return the heatmaps of a condition, one for each adapter seed."""
        blocks: list[Block] = []
        cells = self.subject.cells
        for chart, drawing in self.drawn:
            if chart.figure != "heatmap" or chart.condition != condition:
                continue
            rows = cells[(cells[list(condition.key)] == list(condition.key.values())).all(axis=1)]
            seed = chart.choice.get("adapter_seed")
            rows = rows if seed is None else rows[rows["adapter_seed"] == seed]
            files = () if isinstance(drawing, str) else (f"{chart.name}.png", f"{chart.name}.svg")
            spec = heatmap_spec(rows, self.places, self.subject.labels)
            blocks.append(ShownHeatmap(chart.name, chart.title, chart.caption, spec, files))
        return blocks

    def _targets(self) -> Section:
        panels = [
            (self._heading(*pair), self._pictures("recipients", self.subject.headline(*pair)))
            for pair in self.subject.pairs
        ]
        pictures = [Switch("task", panels)] if panels else []
        tables = self._table("targets_received") + self._table("max_recipients") + self._table("ranking_influence")
        return Section("targets", "Who receives", [*pictures, *tables])

    def _steps(self) -> Section:
        tables = self._table("percent_positive") + self._table("progression") + self._table("step_changes")
        return Section("steps", "Over the number of steps", [*self._pictures("progression"), *tables])

    def _between(self) -> Section:
        tasks = [*self._over_steps("correlation"), *self._table("task_correlation")]
        tops = [*self._over_steps("common_top"), *self._table("common_top")]
        seen = [*self._pictures("seen_unseen"), *self._table("seen_unseen"), *self._table("seen_differences")]
        return Section("between", "Between tasks, and between seen and unseen languages", [*tasks, *tops, *seen])

    def _over_steps(self, figure: str) -> list[Block]:
        """Return the charts of one kind as panels, the last seen first."""
        panels = [(f"k = {chart.choice['steps']}", [picture(chart, drawing)])
                  for chart, drawing in self.drawn if chart.figure == figure]  # fmt: skip
        return [Switch("number of steps", panels, len(panels) - 1)] if panels else []

    def _why(self) -> Section:
        maps = [
            (feature_label(chart.choice["feature"]), [picture(chart, drawing)])
            for chart, drawing in self.drawn
            if chart.figure == "pair_heatmap"
        ]
        shown: list[Block] = [Switch("feature", maps, 0, "How near the languages are")] if maps else []
        points = pairs_said(self.subject)
        said: list[Block] = [Points(points)] if points else []
        tables = self._table("pair_coverage") + self._table("uriel_coverage")
        return Section("why", "What goes with transfer", [*said, *self._table("pair_tests"), *shown, *tables])

    def _sure(self) -> Section:
        names = ("detectable", "reliability", "variance_shares", "shrinkage", "ranges")
        return Section("sure", "How sure, and why not surer", [block for name in names for block in self._table(name)])

    def _labels(self) -> Section:
        return Section("labels", "Gold labels", self._table("labels"))

    def _controls(self) -> Section:
        return Section("controls", "Controls and noise floor", self._table("controls") + self._table("noise_floor"))

    def _data(self) -> Section:
        tables = [*self._table("baseline"), *self._table("targets")]
        return Section("data", "The data", [*tables, *audit_blocks(self.audit)])

    def _run(self, run_size: str) -> Section:
        tables = [*self._table("failures"), *self._table("progress")]
        return run_section(self.findings.header, self._facts(), tables, run_size)

    def _facts(self) -> list[tuple[str, str]]:
        options = self.findings.options
        return [
            *run_facts(self.findings.header, __version__),
            ("scale of this report", options.scale),
            ("intervals of cells for", options.of_cells.replace("_", " ")),
            ("intervals of aggregates for", options.of_aggregates.replace("_", " ")),
            ("seed of the simulations", str(options.seed)),
            ("simulated tables", f"{options.draws:,}"),
        ]

    def _options(self) -> Section:
        return options_section(self.findings["options"], [*self._table("options"), *self._table("stored_options")])

    def _methods(self) -> Section:
        cite = [f"xltransfer, version {__version__}.", *CITATIONS]
        return Section("methods", "What the numbers mean, and whom to cite", [Prose(METHODS), Points(cite, "Cite")])
