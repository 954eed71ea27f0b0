"""What a worker process of an interaction study keeps between units, beside what `transfer.context` keeps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.fusion import Fusion, FusionConfig
from xltransfer.protocols.interaction.compositions import TRAINED, Mix, adapter_name
from xltransfer.protocols.interaction.wanted import ADAPTERS, FUSIONS
from xltransfer.protocols.study_language_adapters import corpora_of
from xltransfer.protocols.transfer.context import Context, load_weights
from xltransfer.randomness import child_seed
from xltransfer.runs.artefacts import read_key
from xltransfer.runs.store import Store

UNIFORM = FusionConfig(value=False)
"""With queries of zero, all scores are equal: the plain mean of the members' outputs."""


class InteractionContext(Context):
    """Caches of one process. See `Context`; the language adapters that were loaded stay, fusions do not."""

    def __init__(self, resolved: ResolvedStudy, store: Store, mixed: tuple[str, ...] = ()) -> None:
        super().__init__(resolved, store, mixed)
        self._loaded: dict[str, str] = {}
        self._fusions: dict[str, Path] = {}

    @cached_property
    def corpora(self) -> dict[str, NDArray[np.int32]]:
        """Blocks of each language's corpus, by the language's code."""
        return corpora_of(self.resolved, self.study.interaction.block)

    @property
    def options(self) -> dict[str, Any]:
        """Named choices that are stored with every row."""
        return self.engine_options | {"tokens": self.study.transfer.tokens}

    @property
    def adapter_config(self) -> AdapterConfig:
        """Shape of the language adapters."""
        spec = self.study.interaction.adapters
        return AdapterConfig(reduction=spec.reduction, invertible_reduction=spec.invertible)

    def load_parts(self, needs: Iterable[str]) -> None:
        """Load the adapters, and note the fusions, of the artefacts with these ids."""
        for unit in needs:
            path = self.store.artefact_path(unit)
            key = read_key(path)
            if key.get("kind") == FUSIONS:
                self._fusions |= dict.fromkeys(key["members"], path)
            elif key.get("kind") == ADAPTERS:
                for member in key["members"]:
                    self._load_adapter(adapter_name(member), unit, path)

    def _load_adapter(self, name: str, unit: str, path: Path) -> None:
        if self._loaded.get(name) == unit:
            return
        adapter = self.model.add_adapter(name, self.adapter_config)
        load_weights(adapter, read_tensors(path, f"{name}/"), f"{name}/")
        adapter.eval().requires_grad_(False)
        self._loaded[name] = unit

    def forget(self, names: Iterable[str]) -> None:
        """Take adapters out of the model, for they are about to be trained anew."""
        for name in names:
            self._loaded.pop(name, None)
            if name in self.model.adapters:
                del self.model.adapters[name]

    @contextmanager
    def fused(self, mixes: Sequence[Mix]) -> Iterator[None]:
        """Have the fusions of some compositions in the model while the block lasts: all together they are large."""
        names = [mix.fusion_name for mix in mixes if mix.fusion]
        try:
            for mix in mixes:
                if mix.fusion == TRAINED:
                    fusion = self.model.add_fusion(mix.adapters, name=mix.fusion_name)
                    prefix = f"{mix.label}/"
                    load_weights(fusion, read_tensors(self._fusions[mix.label], prefix), prefix)
                elif mix.fusion:
                    fusion = self.fresh_fusion(mix)
                else:
                    continue
                fusion.eval().requires_grad_(False)
            yield
        finally:
            for name in names:
                if name in self.model.fusions:
                    del self.model.fusions[name]

    def fresh_fusion(self, mix: Mix) -> Fusion:
        """Add a fusion as it is before training: drawn from the stream of `fusion_seed`, or uniform.

        ``untrained`` is what ``trained`` begins with.
        """
        if mix.fusion == "uniform":
            fusion = self.model.add_fusion(mix.adapters, UNIFORM, mix.fusion_name)
            with torch.no_grad():
                for parameter in fusion.parameters():
                    parameter.zero_()
            return fusion
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(child_seed(self.fusion_seed(mix), "initial"))
            return self.model.add_fusion(mix.adapters, name=mix.fusion_name)

    def seed_of(self, mix: Mix) -> int | None:
        """Return the root of what was drawn for a composition: its fusion's (none: uniform), or its only adapter's."""
        if mix.fusion:
            return None if mix.fusion == "uniform" else self.fusion_seed(mix)
        return child_seed(self.study.seed, "language adapter", mix.adapters[0])

    def choices(self, mix: Mix) -> dict[str, Any]:
        """Return the named choices in which the paper and its code differ, for the rows of a composition."""
        spec = self.study.interaction
        adapters = {
            "block": spec.block,
            "reduction": spec.adapters.reduction,
            "learning_rate": spec.adapters.learning_rate,
            "base_dropout": spec.adapters.base_dropout,
        }
        return adapters | ({"fusion": mix.fusion} if mix.fusion else {})

    def fusion_seed(self, mix: Mix) -> int:
        """Return the root of a fusion's streams; equal for the trained and the untrained one."""
        return child_seed(self.study.seed, "fusion", mix.label)


def read_tensors(path: Path, prefix: str) -> Mapping[str, Tensor]:
    """Return the tensors of a safetensors file whose names begin with ``prefix``; the others are not read."""
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}  # noqa: SIM118
