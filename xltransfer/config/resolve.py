"""From what a study file says to what it means: names looked up, files found, all problems collected.

:func:`resolve` gives plain data that the rest of the package works with. Readers are not called and nothing is loaded;
what is in the files is for ``xltransfer.data``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xltransfer.config.alignment import LAYOUTS
from xltransfer.config.canonical import canonical
from xltransfer.config.interaction_names import interaction_problems
from xltransfer.config.manifests import (
    DatasetManifest,
    Entry,
    HubReader,
    Layout,
    Reader,
    TextReader,
    language_table,
    load_datasets,
    load_model,
    validate_document,
)
from xltransfer.config.study import DeclaredLanguage, Selection, Study
from xltransfer.config.yaml_lines import Loc, by_line, read_document
from xltransfer.errors import ConfigError, near_match
from xltransfer.languages import Language, LanguageTable

LAYOUT_OF_SHAPE: Mapping[str, Layout] = {
    "pos": "conllu",
    "dep": "conllu",
    "ner": "bio",
    "mlm": "text",
    "nli": "pairs",
    "qa": "squad",
    "classification": "labelled",
}
"""What a task of each shape reads."""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class EntryRef:
    """One selected entry with everything that reading it needs.

    Attributes
    ----------
    dataset, name
        Names of the dataset and of the entry; the entry's is unique within a study.
    language
        Code after alias repair.
    reader
        How it is read.
    root
        Absolute folder that ``files`` are relative to.
    files
        Split to file, or to the split's name on the hub.
    config
        Configuration of a hub dataset.
    """

    dataset: str
    name: str
    language: str
    reader: Reader = field(hash=False)
    root: Path
    files: Mapping[str, str] = field(hash=False)
    config: str | None = None

    @property
    def splits(self) -> frozenset[str]:
        """Splits that can be read; ``test`` of a text entry may be held out from its ``train``."""
        return available_splits(self.reader, self.files)


@dataclass(frozen=True)
class ResolvedStudy:
    """A study whose names have been looked up.

    Attributes
    ----------
    study
        The study, its language codes after alias repair.
    data_root
        Absolute folder of the data.
    model
        Absolute folder of the base model, or its hub id.
    seen
        Codes that the base's pretraining covers (:meth:`LanguageTable.covered_by`).
    languages
        The shipped table with the study's own languages.
    corpora
        The transfer corpora.
    train, targets
        Entries of each task by its name, in the order of the study file and the manifests.
    compared
        Entries of each set of compared texts by its name (protocol ``alignment``).
    """

    study: Study
    data_root: Path
    model: str
    seen: frozenset[str]
    languages: LanguageTable
    corpora: tuple[EntryRef, ...]
    train: Mapping[str, tuple[EntryRef, ...]]
    targets: Mapping[str, tuple[EntryRef, ...]]
    compared: Mapping[str, tuple[EntryRef, ...]] = field(default_factory=dict)


def available_splits(reader: Reader, files: Mapping[str, str]) -> frozenset[str]:
    """Return the splits of an entry, the held-out part of a text included."""
    held_out = isinstance(reader, TextReader | HubReader) and reader.layout == "text" and reader.held_out > 0
    return frozenset(files) | ({"test"} if held_out and "train" in files else frozenset())


def resolve(
    study: Study,
    folder: Path,
    data_root: Path | None = None,
    place: Callable[[Loc], str] | None = None,
) -> ResolvedStudy:
    """Look up every name of ``study``.

    Parameters
    ----------
    study
        A valid study.
    folder
        Folder of the study file: paths in it are relative to this.
    data_root
        Takes the place of the study's own ``data_root``.
    place
        From a path into the study file to ``file:line``; default: the path itself.

    Raises
    ------
    ConfigError
        With every unknown name (and the nearest known one), missing file and clash.
    """
    root = data_root if data_root is not None else folder / study.data_root
    found = _Lookup(study, folder.resolve(), root.resolve(), place or _dotted)
    resolved = found.resolve()
    if found.problems:
        raise ConfigError(by_line(found.problems))
    return resolved


class _Lookup:
    """One pass over a study that notes problems instead of stopping at the first."""

    def __init__(self, study: Study, folder: Path, data_root: Path, place: Callable[[Loc], str]) -> None:
        self.study = study
        self.folder = folder
        self.data_root = data_root
        self.place = place
        self.problems: list[str] = []
        self.missing: set[str] = set()
        self.table = language_table()
        self.datasets: dict[str, DatasetManifest] = dict(load_datasets())

    def note(self, message: str, *loc: str | int) -> None:
        """Remember a problem and its place in the study file."""
        self.problems.append(f"{self.place(loc)}: {message}")

    def resolve(self) -> ResolvedStudy:
        """Return the resolved study; valid only if no problem was noted."""
        self._declare_languages()
        self._add_datasets()
        model, seen = self._base()
        corpora = self._select_all(self.study.transfer.corpora, "train", "text", "transfer", "corpora")
        train, targets = {}, {}
        for i, task in enumerate(self.study.tasks):
            layout = LAYOUT_OF_SHAPE[task.shape]
            train[task.name] = self._select_all(task.train, "train", layout, "tasks", i, "train")
            targets[task.name] = self._select_all(task.targets, "test", layout, "tasks", i, "targets")
        compared = {
            each.name: self._select_all(each.data, each.split, LAYOUTS, "alignment", "compared", i, "data")
            for i, each in enumerate(self.study.alignment.compared)
        }
        chosen = (*train.values(), *targets.values(), *compared.values())
        self._refuse_shared_names([*corpora, *(ref for refs in chosen for ref in refs)])
        if self.study.protocol == "interaction":
            self._check_interaction(corpora, {task: {ref.language for ref in refs} for task, refs in targets.items()})
        else:
            self._check_cells({ref.language for ref in corpora})
        self._check_sources(compared)
        study = canonical(self.study, self.table)
        return ResolvedStudy(study, self.data_root, model, seen, self.table, corpora, train, targets, compared)

    def _declare_languages(self) -> None:
        for i, declared in enumerate(self.study.languages):
            try:
                self.table = self.table.with_declared([_as_language(declared)])
            except ConfigError as err:
                self.note("; ".join(err.problems), "languages", i)

    def _add_datasets(self) -> None:
        for i, source in enumerate(self.study.datasets):
            if isinstance(source, str):
                manifest = self._read_manifest(source, i)
            else:
                manifest = source
                for j, entry in enumerate(manifest.entries):
                    self.language(entry.language, "datasets", i, "entries", j, "language")
            if manifest is None:
                continue
            if manifest.name in self.datasets:
                self.note(f"there is a dataset {manifest.name!r} already; choose another name", "datasets", i)
            else:
                self.datasets[manifest.name] = manifest

    def _read_manifest(self, source: str, i: int) -> DatasetManifest | None:
        """Read the manifest that the study names by a path; problems in it carry its own lines."""
        tried = [folder / source for folder in (self.folder, self.data_root)]
        path = next((candidate for candidate in tried if candidate.is_file()), None)
        if path is None:
            self.note(f"no dataset manifest {source!r} in {self.folder} or in {self.data_root}", "datasets", i)
            return None
        try:
            document = read_document(path, shown=source)
            manifest = validate_document(document, DatasetManifest)
        except ConfigError as err:
            self.problems += err.problems
            return None
        for j, entry in enumerate(manifest.entries):
            if entry.language not in self.table:
                place = document.place(("entries", j, "language"))
                self.problems.append(f"{place}: {self.table.unknown(entry.language)}")
        return manifest

    def language(self, name: str, *loc: str | int) -> str:
        """Return the code of ``name``, or note that it is unknown."""
        if name in self.table:
            return self.table.get(name).code
        self.note(self.table.unknown(name), *loc)
        return name

    def _base(self) -> tuple[str, frozenset[str]]:
        """Return the model's folder or hub id, and the languages it covers."""
        base = self.study.base
        named, listed = base.model or "", list(base.seen or ())
        if base.manifest is not None:
            try:
                manifest = load_model(base.manifest)
            except ConfigError as err:
                self.note("; ".join(err.problems), "base", "manifest")
                return named, frozenset()
            named, listed = base.model or manifest.hub_id, list(manifest.seen)
        codes = [self.language(code, "base", "seen", i) for i, code in enumerate(listed)]
        seen = self.table.covered_by(code for code in codes if code in self.table)
        return self._model(named) if base.model else named, seen

    def _model(self, named: str) -> str:
        """Return the absolute folder of a model that looks like a path, else the hub id."""
        folder = (self.data_root / named).resolve()
        if folder.is_dir():
            return str(folder)
        if named.startswith((".", "/")) or not HUB_ID.fullmatch(named):
            self.note(f"no model folder {named!r} under the data root {self.data_root}", "base", "model")
            return str(folder)
        return named

    def _select_all(
        self, selections: Iterable[Selection], split: str, layout: Layout | tuple[Layout, ...], *loc: str | int
    ) -> tuple[EntryRef, ...]:
        """Return the entries of several selections; one that is selected twice is a problem."""
        refs: dict[str, EntryRef] = {}
        for i, selection in enumerate(selections):
            for ref in self._select(selection, split, layout, *loc, i):
                if ref.name in refs:
                    self.note(f"entry {ref.name!r} is selected twice", *loc, i)
                refs[ref.name] = ref
        return tuple(refs.values())

    def _select(
        self, selection: Selection, split: str, layout: Layout | tuple[Layout, ...], *loc: str | int
    ) -> list[EntryRef]:
        layouts = (layout,) if isinstance(layout, str) else layout
        manifest = self.datasets.get(selection.dataset)
        if manifest is None:
            near = near_match(selection.dataset, self.datasets)
            self.note(f"unknown dataset {selection.dataset!r}{near}", *loc, "dataset")
            return []
        if manifest.reader.layout not in layouts:
            needed = " or ".join(layouts)
            self.note(f"dataset {manifest.name!r} holds {manifest.reader.layout}, {needed} is needed", *loc, "dataset")
            return []
        entries = self._chosen(selection, manifest, split, *loc)
        refs = [self._ref(manifest, entry) for entry in entries]
        for problem in _missing_files(refs, self.data_root):
            if problem not in self.missing:
                self.missing.add(problem)
                self.note(problem, *loc)
        return refs

    def _chosen(self, selection: Selection, manifest: DatasetManifest, split: str, *loc: str | int) -> list[Entry]:
        """Return the entries of ``manifest`` that are asked for and have ``split``."""
        by_name = {entry.name: entry for entry in manifest.entries}
        for key, names in (("entries", selection.entries or ()), ("exclude", selection.exclude)):
            for i, name in enumerate(names):
                if name not in by_name:
                    near = near_match(name, by_name)
                    self.note(f"dataset {manifest.name!r} has no entry {name!r}{near}", *loc, key, i)
        if selection.entries is not None:
            named = [by_name[name] for name in selection.entries if name in by_name]
            for entry in named:
                if split not in available_splits(manifest.reader, entry.files):
                    self.note(f"entry {entry.name!r} of dataset {manifest.name!r} has no split {split!r}", *loc)
            return named
        chosen = [
            entry
            for entry in manifest.entries
            if entry.name not in selection.exclude and split in available_splits(manifest.reader, entry.files)
        ]
        if selection.languages is not None:
            chosen = self._of_languages(chosen, selection.languages, manifest.name, split, *loc)
        elif not chosen:
            self.note(f"dataset {manifest.name!r} has no entry with a split {split!r} to select", *loc)
        return chosen

    def _of_languages(
        self, entries: list[Entry], languages: tuple[str, ...], dataset: str, split: str, *loc: str | int
    ) -> list[Entry]:
        """Return the entries of ``languages``, in the order of the languages."""
        by_language: dict[str, list[Entry]] = {}
        for entry in entries:
            code = self.table.get(entry.language).code if entry.language in self.table else entry.language
            by_language.setdefault(code, []).append(entry)
        chosen = []
        for i, name in enumerate(languages):
            code = self.language(name, *loc, "languages", i)
            if name in self.table and code not in by_language:
                near = near_match(name, by_language)
                self.note(
                    f"dataset {dataset!r} has no entry of {name!r} with a split {split!r}{near}", *loc, "languages", i
                )
            chosen += by_language.get(code, [])
        return chosen

    def _ref(self, manifest: DatasetManifest, entry: Entry) -> EntryRef:
        code = self.table.get(entry.language).code if entry.language in self.table else entry.language
        root = (self.data_root / manifest.root).resolve()
        return EntryRef(manifest.name, entry.name, code, manifest.reader, root, dict(entry.files), entry.config)

    def _refuse_shared_names(self, refs: Iterable[EntryRef]) -> None:
        """Two datasets may name an entry alike, but not within one study: results go by the entry's name."""
        owner: dict[str, str] = {}
        for ref in refs:
            if owner.setdefault(ref.name, ref.dataset) != ref.dataset:
                self.note(f"entry {ref.name!r} is selected from {owner[ref.name]!r} and from {ref.dataset!r}", "tasks")

    def _check_cells(self, transfer: set[str]) -> None:
        """Note tasks and languages of cells and controls that the study does not have."""
        for i, cell in enumerate(self.study.cells):
            self._task_names(cell.tasks, "cells", i)
            self._transfer_languages(cell.languages, transfer, "cells", i)
        controls = self.study.controls
        for key in ("zero_steps", "shuffled_text", "random_sign"):
            control = getattr(controls, key)
            if control is not None:
                self._task_names(control.tasks, "controls", key)
                self._transfer_languages(control.languages, transfer, "controls", key)

    def _task_names(self, names: tuple[str, ...] | None, *loc: str | int) -> None:
        """Note tasks that the study does not have."""
        known = {task.name for task in self.study.tasks}
        for i, name in enumerate(names or ()):
            if name not in known:
                self.note(f"the study has no task {name!r}{near_match(name, known)}", *loc, "tasks", i)

    def _check_sources(self, compared: Mapping[str, tuple[EntryRef, ...]]) -> None:
        """Note sources that a set of compared texts does not have, and sets of one side."""
        for i, each in enumerate(self.study.alignment.compared):
            known = {ref.language for ref in compared[each.name]}
            for j, name in enumerate(each.sources or ()):
                code = self.language(name, "alignment", "compared", i, "sources", j)
                if name in self.table and code not in known:
                    near = near_match(name, known)
                    self.note(f"{each.name!r} has no texts of {name!r}{near}", "alignment", "compared", i, "sources", j)
            if len(compared[each.name]) == 1:
                self.note(f"{each.name!r} has one side; a comparison needs two", "alignment", "compared", i, "data")

    def _check_interaction(self, corpora: tuple[EntryRef, ...], tested: Mapping[str, set[str]]) -> None:
        """Note languages that cannot be fused as the study asks."""
        spec = self.study.interaction
        codes: dict[str, str] = {}
        for i, pair in enumerate(spec.listed):
            for j, name in enumerate(pair):
                code = self.language(name, "interaction", "pairs", i, j)
                codes |= {name: code} if name in self.table else {}
        named = [(ref.language, ref.name) for ref in corpora]
        for message, loc in interaction_problems(spec, named, tested, codes):
            self.note(message, *loc)

    def _transfer_languages(self, names: tuple[str, ...] | None, transfer: set[str], *loc: str | int) -> None:
        for i, name in enumerate(names or ()):
            code = self.language(name, *loc, "languages", i)
            if name in self.table and code not in transfer:
                near = near_match(name, transfer)
                self.note(f"{name!r} is no transfer language of this study{near}", *loc, "languages", i)


def _as_language(declared: DeclaredLanguage) -> Language:
    return Language(**declared.model_dump())


def _missing_files(refs: Iterable[EntryRef], data_root: Path) -> list[str]:
    """Return one sentence per absent folder or file of the entries that are read from local files."""
    problems: dict[str, None] = {}
    for ref in refs:
        if isinstance(ref.reader, HubReader):
            continue
        if not ref.root.is_dir():
            text = f"dataset {ref.dataset!r}: no folder {ref.root}; is the data root {data_root} right?"
            problems[text] = None
            continue
        for split, name in ref.files.items():
            if not (ref.root / name).is_file():
                text = f"entry {ref.name!r} of dataset {ref.dataset!r}, split {split!r}: no file {name} in {ref.root}"
                problems[text] = None
    return list(problems)


def _dotted(loc: Loc) -> str:
    """Return ``cells[0].tasks`` for messages without a file."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".") or "study"
