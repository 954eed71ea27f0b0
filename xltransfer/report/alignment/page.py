"""The page of a report on alignment: which sections there are, and what stands in each."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from xltransfer import __version__
from xltransfer.report.alignment import sentences as say
from xltransfer.report.alignment.findings import WHOLE, AlignmentFindings
from xltransfer.report.assembled import Drawn
from xltransfer.report.blocks import audit_blocks, failure_notices, picture, run_section, table_block
from xltransfer.report.heatmaps import colours
from xltransfer.report.names import isolated
from xltransfer.report.numbers import count, listed
from xltransfer.report.page import Block, Page, Points, Prose, Section, Switch
from xltransfer.report.provenance import CITATIONS, run_facts
from xltransfer.report.tables import Table

METHODS: Final = (
    "Texts of two languages go through the model, and in every layer each has two vectors: that of the first token "
    "([CLS]) and the mean over its own tokens. On translations: the mean cosine of text i with its translation; "
    "debiased linear CKA, HSIC(x, y)/√(HSIC(x, x)·HSIC(y, y)) with the unbiased estimator of HSIC, which is 0 on "
    "average for unrelated sides; and the percent of texts whose nearest neighbour by cosine is their translation, "
    "mean of both directions, ties shared. On texts that are no translations: the mean cosine over all pairs of a "
    "text of one side with one of the other.",
    "Vectors of such models lie in a narrow cone, so any two have a high cosine (anisotropy). Permuted pairs show how "
    "high: every text is paired with the translation of another one, of another premise or document where these are "
    "known, by the same permutation in every layer and state.",
    "Intervals of single pairs are for other texts: premises and documents are drawn whole; CKA by the jackknife over "
    "pairs of texts; retrieval by other queries against the fixed pool; of nudges, replicates and texts are crossed. "
    "Changes are taken text by text. Means over pairs leave out one language at a time with all its pairs. The mean "
    "change by one nudge takes its replicates and partner languages as crossed.",
    "The middle layer and the cosine of [CLS] were fixed beforehand for the prediction of ts. A language that helps "
    "everybody, or comes closer to everybody, says nothing about it: row and column effects are taken out of both "
    "sides. Self-pairs are left out. One nudged model gives both the score and the change, so with few "
    "replicates they share its luck.",
)

CITED: Final = (
    "Marinela Parović, Alan Ansell, Ivan Vulić and Anna Korhonen. 2023. Cross-Lingual Transfer with Target Language-"
    "Ready Task Adapters. Findings of ACL. (Alignment layer by layer.)",
    "Simon Kornblith, Mohammad Norouzi, Honglak Lee and Geoffrey Hinton. 2019. Similarity of Neural Network "
    "Representations Revisited. ICML. (CKA.)",
    "Le Song, Alex Smola, Arthur Gretton, Justin Bedo and Karsten Borgwardt. 2012. Feature Selection via Dependence "
    "Maximization. JMLR. (The unbiased estimator of HSIC.)",
)


def page(
    found: AlignmentFindings, tables: Sequence[Table], drawn: Drawn, audit: Mapping[str, Table], run_size: str
) -> Page:
    """Return the page; sections of which a run has nothing are left out."""
    composer = _Composer(found, {table.name: table for table in tables}, drawn, audit)
    sections = composer.sections(run_size)
    return Page(
        title=f"Alignment report: {isolated(str(found.header.study.get('name', 'unnamed study')))}",
        lead=composer.lead(),
        notices=composer.notices(),
        sections=[section for section in sections if section.blocks],
        colours=colours(),
    )


class _Composer:
    """Puts blocks together."""

    def __init__(
        self, found: AlignmentFindings, tables: Mapping[str, Table], drawn: Drawn, audit: Mapping[str, Table]
    ) -> None:
        self.found, self.tables, self.drawn, self.audit = found, tables, drawn, audit

    def lead(self) -> str:
        """Return one sentence about the run."""
        sets = [
            f"{isolated(row['task'])} ({count(int(row['n_pairs']), 'pair')} of {int(row['n_languages'])} languages, "
            f"{_texts(row)})"
            for row in self.found["sets"].to_dict("records")
        ]
        states = self.found["progress"].to_dict("records")
        adapters = sorted({row["task_adapter"] for row in states if row["task_adapter"]})
        parts = [f"task adapters {listed([isolated(name) for name in adapters])}"] if adapters else []
        parts += ["language adapters"] if any(str(row["setting"]).startswith("language") for row in states) else []
        nudges = [row for row in states if row["setting"] == "nudge"]
        parts += [
            f"{count(int(row['there']), 'nudged model')} of {count(int(row['entries']), 'corpus', 'corpora')} at "
            f"k = {int(row['steps'])}"
            for row in nudges
        ]
        beside = f" beside {listed(parts)}" if parts else ""
        return (
            f"Base model {isolated(str(self.found.header.settings['base']))}, untouched{beside}; texts: {listed(sets)}."
        )

    def notices(self) -> list[str]:
        """Return what a reader must know before the numbers."""
        notices = failure_notices(self.found["failures"])
        short = int(self.found["progress"]["short"].sum())
        if short:
            lack = "lacks" if short == 1 else "lack"
            notices.append(f"The run is not finished: {count(short, 'corpus', 'corpora')} {lack} replicates.")
        verdict = say.zero_steps(self.found)
        notices += [verdict] if "FAIL" in verdict else []
        for row in self.found["sets"].to_dict("records"):
            if row["shared_corpora"]:
                notices.append(
                    f"Nudges on {isolated(row['shared_corpora'])} have seen texts that are compared in "
                    f"{isolated(row['task'])}."
                )
        return notices

    def sections(self, run_size: str) -> list[Section]:
        """Return all sections, in order."""
        return [
            self._summary(), self._layers(), self._pairs(), self._changes(), self._prediction(), self._data(),
            self._run(run_size), _methods(),
        ]  # fmt: skip

    def _pictures(self, prefix: str, name: str) -> list[Block]:
        return [
            picture(chart, drawing)
            for chart, drawing in self.drawn
            if chart.condition == name and chart.name.startswith(f"{prefix}_")
        ]

    def _by_set(self, *prefixes: str) -> list[Block]:
        """Return a panel per set of texts with its figures."""
        panels = [
            (name, [block for prefix in prefixes for block in self._pictures(prefix, name)])
            for name in self.found.metrics
        ]
        panels = [(name, blocks) for name, blocks in panels if blocks]
        return [Switch("texts", panels)] if panels else []

    def _table(self, name: str, heading: str = "") -> list[Block]:
        return table_block(self.tables.get(name), heading)

    def _summary(self) -> Section:
        blocks: list[Block] = [
            Points(said, isolated(name)) for name in self.found.metrics if (said := say.of_set(self.found, name))
        ]
        predicted = say.of_prediction(self.found)
        blocks += [Points(predicted, "Does the change of alignment predict ts?")] if predicted else []
        return Section("summary", "Summary", [*blocks, Points([say.zero_steps(self.found)], "Control")])

    def _layers(self) -> Section:
        return Section("layers", "Layer by layer", [*self._by_set("layers", "pairs"), *self._table("layer_means")])

    def _pairs(self) -> Section:
        return Section("pairs", "Pairs at the middle layer", self._table("pairs_middle"))

    def _changes(self) -> Section:
        whole = {"baseline", *WHOLE}
        if set(self.found["changes"]["setting"]) <= whole and self.found["changes"].empty:
            return Section("changes", "What changes alignment", [])
        tables = self._table("nudges") + self._table("layer_changes") + self._table("pair_changes")
        return Section("changes", "What changes alignment", [*self._by_set("nudges", "changes"), *tables])

    def _prediction(self) -> Section:
        title = "Does the change of alignment predict ts?"
        if self.found.options.transfer is None:
            said = "Not asked: name a transfer run of the same nudges, `xltransfer report DIR --transfer RUN`."
            nudged = (self.found["progress"]["setting"] == "nudge").any()
            return Section("prediction", title, [Prose([said])] if nudged else [])
        return Section("prediction", title, [*self._by_set("prediction"), *self._table("prediction")])

    def _data(self) -> Section:
        return Section("data", "The texts", [*self._table("sets"), *audit_blocks(self.audit)])

    def _run(self, run_size: str) -> Section:
        options = self.found.options
        facts = [
            *run_facts(self.found.header, __version__),
            ("seed of the permutations", str(options.seed)),
            ("permutations of the prediction", "9,999, or all there are"),
        ]
        tables = self._table("failures") + self._table("progress") + self._table("stored_options")
        return run_section(self.found.header, facts, tables, run_size)


def _texts(row: Mapping[Any, Any]) -> str:
    """Return how many texts a side has: as many everywhere, or from and to, and how many were asked for."""
    fewest, most, asked = (int(row[name]) for name in ("fewest", "most", "asked"))
    sizes = f"{most} texts a side" if fewest == most else f"{fewest} to {most} texts a side"
    return f"{row['kind']}, {sizes}" + (f" of at most {asked}" if row["kind"] == "unmatched" else "")


def _methods() -> Section:
    cite = [f"xltransfer, version {__version__}.", *CITED, *CITATIONS[:2]]
    return Section("methods", "What the numbers mean, and whom to cite", [Prose(METHODS), Points(cite, "Cite")])
