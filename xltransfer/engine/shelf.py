"""The parts beside the base model, by name: adapters, fusions and heads, fresh, from folders and back into them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from torch import nn

from xltransfer.engine import checkpoint
from xltransfer.engine.adapter import Adapter, AdapterConfig, Place
from xltransfer.engine.base import MASKED_LM, BaseModel
from xltransfer.engine.fusion import Fusion, FusionConfig
from xltransfer.engine.heads import TaggingHead
from xltransfer.engine.loading import Loaded
from xltransfer.engine.sites import value_of
from xltransfer.errors import ConfigError, ModelError, near_match


class Named(nn.ModuleDict):
    """Modules by name, where a name may be a word that torch uses itself: `pop`, `cpu` and `to` are languages, too."""

    def __setitem__(self, key: str, module: nn.Module) -> None:
        # ModuleDict would go through add_module, which refuses the names of its own attributes.
        self._modules[key] = module


class Shelf(BaseModel):
    """A base model with named parts.

    Attributes
    ----------
    head_labels
        Label to its number among the scores, or None, for every head that was loaded from a file.
    """

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded)
        self.adapters, self.fusions, self.heads = Named(), Named(), Named()
        self.head_labels: dict[str, Mapping[str, int] | None] = {}

    def add_adapter(self, name: str, config: AdapterConfig) -> Adapter:
        """Add a fresh adapter, which changes nothing until it is trained.

        Raises
        ------
        ConfigError
            A name that no composition can say, or that torch cannot give to a module.
        """
        checkpoint.check_name(checkpoint.ADAPTER, name)
        self.adapters[name] = Adapter(config, self.hidden, self.depth).to(self.device).train(self.training)
        return self.adapters[name]  # type: ignore[return-value]

    def add_fusion(self, members: Sequence[str], config: FusionConfig | None = None, name: str | None = None) -> Fusion:
        """Add a fresh fusion of loaded adapters; near uniform attention, values near the identity.

        Parameters
        ----------
        members
            Names of the last adapter of each branch, in order.
        name
            Default: the members joined by commas, as AdapterHub names it and `Fuse` looks it up.

        Raises
        ------
        ConfigError
            Fewer than two members, or one that is not loaded; members that sit at different places; a name that cannot
            be used.
        """
        fusion = Fusion(members, config or FusionConfig(), self.hidden, self.depth, self._places(members))
        chosen = ",".join(members) if name is None else name
        checkpoint.check_name(checkpoint.FUSION, chosen)
        self.fusions[chosen] = fusion.to(self.device).train(self.training)
        return fusion

    def _places(self, members: Sequence[str]) -> tuple[Place, ...]:
        """Return where the members of a fusion sit in their layers; raises `ConfigError` as `add_fusion` does."""
        if len(members) < 2:
            raise ConfigError(f"a fusion needs at least two members, got {', '.join(members) or 'none'}")
        missing = [member for member in members if member not in self.adapters]
        if missing:
            problems = [f"fusion member {each!r} is not loaded{near_match(each, self.adapters)}" for each in missing]
            raise ConfigError(problems)
        places = {member: cast(Adapter, self.adapters[member]).places for member in members}
        if len(set(places.values())) > 1:
            raise ConfigError(f"members of a fusion must sit at the same places of a layer, got {places}")
        return places[members[0]]

    def add_head(self, name: str, head: nn.Module) -> None:
        """Add a head; its name then goes into ``forward(head=...)``.

        Raises
        ------
        ConfigError
            The name of the base model's own head, or one that cannot be used; on a decoder, anything but a
            `TaggingHead`.
        """
        checkpoint.check_name(checkpoint.HEAD, name)
        if name == MASKED_LM:
            raise ConfigError(f"head name {name!r} is taken by the base model's own masked-LM head; choose another")
        if self.site.causal and not isinstance(head, TaggingHead):
            raise ConfigError(
                f"head {name!r} is a {type(head).__name__}, but in a decoder ({self.model_type}) no token has seen "
                "its whole row; give a TaggingHead"
            )
        self.heads[name] = head.to(self.device).train(self.training)

    def head(self, name: str) -> nn.Module:
        """Return a head by name.

        Raises
        ------
        ConfigError
            A head that is not loaded, with the near match.
        ModelError
            The masked-LM head of a base model that has none.
        """
        if name == MASKED_LM and self.masked_lm is not None:
            return self.masked_lm
        if name == MASKED_LM:
            raise ModelError(
                "the base model's folder holds no masked-LM head; "
                + ("a decoder has none" if self.site.causal else "use one that was saved with its head")
            )
        if name not in self.heads:
            known = [*self.heads, *([MASKED_LM] if self.masked_lm is not None else [])]
            raise ConfigError(f"head {name!r} is not loaded{near_match(name, known)}")
        return self.heads[name]

    @property
    def _base(self) -> checkpoint.Base:
        return checkpoint.Base(self.model_type, self.hidden, self.depth)

    def load_adapter(self, folder: str | Path, name: str | None = None, revision: str | None = None) -> str:
        """Load an adapter of AdapterHub's format, of any generation, in evaluation mode; return its name here.

        Parameters
        ----------
        folder
            Folder, hub id, or ``owner/name/folder`` inside a hub repository. A head beside it is left for `load_head`.
        name
            Default: the name in the file. One of that name that is there already is replaced.
        revision
            Of a hub repository.

        Raises
        ------
        ModelError
            No such folder, several adapters in it; another architecture or size; options that are not supported; keys
            that are missing or left over, all listed; values that are not finite. See `checkpoint`.
        ConfigError
            A name that no composition can say.
        """
        part = checkpoint.read_part(folder, checkpoint.ADAPTER, self._base, revision)
        adapter = checkpoint.build_adapter(part, self._base)
        name = checkpoint.chosen_name(part, name)
        self.adapters[name] = adapter.to(self.device)
        return name

    def load_fusion(self, folder: str | Path, name: str | None = None, revision: str | None = None) -> str:
        """Load a fusion as `load_adapter` does; raises `ConfigError` too where its members are not loaded.

        ``Fuse`` finds a fusion by its members' names joined by commas, which is what files call it unless told
        otherwise, or by the name behind ``;``.
        """
        part = checkpoint.read_part(folder, checkpoint.FUSION, self._base, revision)
        fusion = checkpoint.build_fusion(part, self._base)
        name = checkpoint.chosen_name(part, name)
        places = self._places(fusion.members)
        if fusion.places != places:
            raise ModelError(f"{part.what} sits at {fusion.places}, but its members, as loaded here, at {places}")
        self.fusions[name] = fusion.to(self.device)
        return name

    def load_head(self, folder: str | Path, name: str | None = None, revision: str | None = None) -> str:
        """Load a head as `load_adapter` does; see `add_head`. A masked-LM head must be tied to this model's words."""
        part = checkpoint.read_part(folder, checkpoint.HEAD, self._base, revision)
        head = checkpoint.build_head(part, self._base, self.head_dropout, self._head_eps, self.word_embeddings)
        name = checkpoint.chosen_name(part, name)
        self.add_head(name, head)
        self.head_labels[name] = part.settings.get("label2id")
        return name

    @property
    def _head_eps(self) -> float:
        keys = self.site.masked_lm
        return float(value_of(keys[0].eps, self.encoder.config)) if keys else 0.0

    def save_adapter(
        self, name: str, folder: str | Path, format: checkpoint.Format = "safetensors", overwrite: bool = False
    ) -> None:
        """Write an adapter as a folder that AdapterHub's library loads.

        Parameters
        ----------
        folder
            Made, with its parents; it appears whole or not at all.
        format
            ``safetensors``, for which that library is told ``use_safetensors=True``; or ``bin``, which it takes as is.
        overwrite
            Whether an adapter in that folder is replaced; what else AdapterHub keeps in it stays.

        Raises
        ------
        ConfigError
            An adapter that is not loaded, a folder that is not empty, an unknown format.
        """
        adapter = cast(Adapter, _loaded("adapter", name, self.adapters))
        checkpoint.write_adapter(adapter, name, folder, self._base, format, overwrite)

    def save_fusion(
        self, name: str, folder: str | Path, format: checkpoint.Format = "safetensors", overwrite: bool = False
    ) -> None:
        """Write a fusion as `save_adapter` does; its members are saved by themselves."""
        fusion = cast(Fusion, _loaded("fusion", name, self.fusions))
        checkpoint.write_fusion(fusion, name, folder, self._base, format, overwrite)

    def save_head(
        self,
        name: str,
        folder: str | Path,
        format: checkpoint.Format = "safetensors",
        overwrite: bool = False,
        labels: Mapping[str, int] | None = None,
    ) -> None:
        """Write a head as `save_adapter` does.

        Parameters
        ----------
        labels
            Label to its number among the scores; default: those that the head was loaded with, if any.
        """
        checkpoint.write_head(
            self.head(name),
            name,
            folder,
            self._base,
            format,
            overwrite,
            labels=labels or self.head_labels.get(name),
            dropout=self.head_dropout,
            embeddings=self.word_embeddings,
        )


def _loaded(kind: str, name: str, known: nn.ModuleDict) -> nn.Module:
    if name not in known:
        raise ConfigError(f"{kind} {name!r} is not loaded{near_match(name, known)}")
    return known[name]
