"""What a worker process keeps between units: beside a transfer study's caches, the compared texts on the device."""

import json
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from xltransfer.config.alignment import Compared
from xltransfer.config.manifests import load_model
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.parallel_text import TextSide
from xltransfer.engine.checkpoint import ADAPTER
from xltransfer.engine.checkpoint.folder import find
from xltransfer.errors import ConfigError, ModelError
from xltransfer.protocols.alignment.pairs import Pair, pairs_of, sides_of
from xltransfer.protocols.alignment.states import BOTH, LANGUAGE, adapter_name, split_setting
from xltransfer.protocols.alignment.vectors import PreparedSide, prepare_side
from xltransfer.protocols.transfer.context import Context
from xltransfer.runs.store import Store


class AlignmentContext(Context):
    """Caches of one process; parameters as of a transfer study's."""

    def __init__(self, resolved: ResolvedStudy, store: Store, mixed: tuple[str, ...] = ()) -> None:
        super().__init__(resolved, store, mixed)
        self.sets: dict[str, Compared] = {spec.name: spec for spec in self.study.alignment.compared}
        self.sides = cache(self._sides)
        self.prepared_side = cache(self._prepared_side)
        self.pairs = cache(self._pairs)

    def _sides(self, name: str) -> dict[str, TextSide]:
        return sides_of(self.resolved, self.sets[name])

    def _pairs(self, name: str) -> dict[str, Pair]:
        return {pair.name: pair for pair in pairs_of(self.resolved, self.sets[name])}

    def _prepared_side(self, name: str, entry: str) -> PreparedSide:
        spec, engine = self.study.alignment, self.study.engine
        return prepare_side(self.sides(name)[entry], self.tokenizer, spec.max_length, engine.token_budget, self.device)

    def load_state(self, setting: str) -> None:
        """Load the adapters that a state needs, each once."""
        name, scorer = split_setting(setting)
        # Loaded here at the latest: what is loaded in inference mode can never be nudged.
        model = self.model
        if scorer:
            self.load_scorer(scorer)
        if name not in (LANGUAGE, BOTH):
            return
        for language, folder in adapter_folders(self.resolved).items():
            if adapter_name(language) not in model.adapters:
                model.load_adapter(folder, name=adapter_name(language))
        model.eval().requires_grad_(False)


def adapter_folders(resolved: ResolvedStudy) -> dict[str, Path]:
    """Return the folder of the adapter of every compared language; none where no state has language adapters.

    Raises
    ------
    ConfigError
        With every language that has no folder, or an adapter that was trained on another base model.
    ModelError
        A folder that holds no adapter, or several; a file that tells the base model is no JSON.
    """
    spec = resolved.study.alignment
    if not spec.needs_language_adapters or spec.adapters is None:
        return {}
    root = (resolved.data_root / spec.adapters).resolve()
    languages = dict.fromkeys(ref.language for refs in resolved.compared.values() for ref in refs)
    missing = [language for language in languages if not (root / language).is_dir()]
    if missing:
        raise ConfigError(
            f"alignment.adapters: {root} has no folder for {', '.join(missing)}; train them with 'xltransfer adapters "
            "train', or leave these languages out of the compared texts"
        )
    folders = {language: root / language for language in languages}
    if problems := [problem for folder in folders.values() if (problem := _other_base(resolved, folder))]:
        raise ConfigError(problems)
    return folders


def _other_base(resolved: ResolvedStudy, folder: Path) -> str:
    """Return what is wrong where an adapter says that it belongs to another base; empty where it says nothing.

    The record beside a folder of ``adapters train`` has the base's name in its study. AdapterHub's files have a hub id
    or a path on their author's machine, of which only the last part can be compared.
    """
    base, record = resolved.study.base, folder.with_name(f"{folder.name}.json")
    place = find(folder, (ADAPTER,)) / ADAPTER.config
    if (said := _said(record, "base")) is not None:
        place, fits = record, said == base.name
    else:
        said = _said(place, "model_name")
        hub_id = () if base.manifest is None else (load_model(base.manifest).hub_id,)
        names = (base.name, resolved.model, *hub_id)
        fits = said is None or PurePath(said).name in {PurePath(name).name for name in names}
    if fits:
        return ""
    return (
        f"alignment.adapters: the adapter {folder} was trained on the base model {said!r} ({place.name}), but the "
        f"study's is {base.name!r} ({resolved.model}); train one on it with 'xltransfer adapters train', or, if both "
        f"are the same model, correct {place.name}"
    )


def _said(path: Path, key: str) -> str | None:
    """Return a text in a JSON file; None where file or text are not there."""
    if not path.is_file():
        return None
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is no JSON ({error}); restore it, or train the adapter again") from error
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, str) and found else None
