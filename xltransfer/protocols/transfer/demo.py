"""The demo's folder: an artificial world, a tiny base model that has not seen all of it, and a study of both.

    world/          text, treebanks, names, true distances
    models/tiny/    the base
    demo.yaml       the shipped study, the seed and the world's languages put to it: runnable by itself
    run/            results, made by ``xltransfer run`` or the demo command

What is there is left as it is, so a stopped demo goes on. The same seed gives the same bytes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

from xltransfer.config.load import load_study
from xltransfer.config.manifests import root
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.config.study import Study
from xltransfer.data.world import Counts, World, WorldSpec, make_world, write_world
from xltransfer.engine.pretrain import PretrainSettings
from xltransfer.errors import ConfigError
from xltransfer.protocols.pretraining import BaseRecipe, make_base

PRETRAINING = PretrainSettings(
    layers=2, hidden=64, heads=2, steps=3000, batch_size=16, block=64, learning_rate=4e-3, initial=0.05, dropout=0.0
)
"""A tiny base in about half a minute on one core. Without dropout: so small a model does not learn by heart."""


@dataclass(frozen=True)
class Demo:
    """What a demo is made from.

    Attributes
    ----------
    world
        The artificial languages.
    pretraining
        Size and training of the base.
    vocabulary
        Word pieces of its tokenizer.
    study
        Study file as text, without ``seed`` and ``languages``.
    """

    world: WorldSpec
    pretraining: PretrainSettings
    vocabulary: int
    study: str

    @property
    def seed(self) -> int:
        """Seed of world, base and study."""
        return self.world.seed

    @property
    def digest(self) -> str:
        """Digest of all of it: what is in a demo's folder was made from the same, or is refused."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def demo_of(seed: int = 1, scale: float = 1.0) -> Demo:
    """Return the demo of a seed; ``scale`` multiplies lines of text, sentences and pretraining steps.

    Raises
    ------
    ConfigError
        ``scale`` is not positive.
    """
    spec = scaled_world(seed, scale)
    pretraining = replace(PRETRAINING, steps=max(1, round(PRETRAINING.steps * scale)))
    return Demo(spec, pretraining, 1000, (root() / "studies" / "demo.yaml").read_text(encoding="utf-8"))


def scaled_world(seed: int, scale: float) -> WorldSpec:
    """Return the default world of a seed with ``scale`` times as much of everything, at least one of each.

    Raises
    ------
    ConfigError
        ``scale`` is not positive.
    """
    if not scale > 0:
        raise ConfigError(f"scale={scale}; expected a number above 0, 1 for the default amounts")
    counts = {name: max(1, round(number * scale)) for name, number in Counts().model_dump().items()}
    return WorldSpec(seed=seed, counts=Counts(**counts))


def prepare(
    demo: Demo,
    folder: Path,
    on_part: Callable[[str], None] | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> ResolvedStudy:
    """Make what of the demo's folder is not there, and return its study.

    Parameters
    ----------
    demo
        See `demo_of`.
    folder
        The demo's folder; made where needed.
    on_part
        Told ``world`` and ``base`` before each is made.
    on_step
        Told of pretraining's steps, see `engine.pretrain`.

    Raises
    ------
    ConfigError
        The folder holds a demo of another seed, size or study.
    DataError
        It holds another world.
    """
    world, study = make_world(demo.world), folder / "demo.yaml"
    text = study_text(demo, world)
    if study.exists() and study.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{study} is of another seed, size or version; give another folder with --out, or delete this one"
        )
    if not study.exists():
        _tell(on_part, "world")
        write_world(world, folder / "world", root="world")
        study.write_text(text, encoding="utf-8")
    if not (folder / "models" / "tiny" / "config.json").exists():
        _tell(on_part, "base")
        seen = Study.model_validate(yaml.safe_load(text)).base.seen or ()
        recipe = BaseRecipe(folder / "world" / "text", seen, demo.pretraining, demo.vocabulary, demo.seed)
        make_base(recipe, folder / "models" / "tiny", on_step)
    return load_study(study)


def study_text(demo: Demo, world: World) -> str:
    """Return the demo's study file: seed, the study as it is shipped, the languages of the world."""
    languages = [
        {name: getattr(language, name) for name in ("code", "name", "family", "genus", "script")}
        for language in world.languages
    ]
    declared = "".join(
        f"  - {yaml.safe_dump(one, default_flow_style=True, sort_keys=False, width=1000)}" for one in languages
    )
    head = f"# Made by xltransfer demo from {demo.digest}.\nseed: {demo.seed}\n"
    return f"{head}{demo.study}\n# As the world made them.\nlanguages:\n{declared}"


def true_distances(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the world's distances of a demo's folder: sound, lexical, order, script, tree."""
    files = {name: folder / "world" / "distances" / f"{name}.csv" for name in DISTANCES}
    return {name: pd.read_csv(path, index_col=0) for name, path in files.items()}


DISTANCES = ("sound", "lexical", "order", "script", "tree")
"""Names of the true distances, as `write_world` files them."""


def positive_control(ts: pd.DataFrame, seen: frozenset[str]) -> pd.DataFrame:
    """Return whether text of an unseen language helps the model with that language's text.

    Parameters
    ----------
    ts
        What `analysis.transfer_scores` gives.
    seen
        Codes that the base was pretrained on.

    Returns
    -------
    DataFrame
        ``transfer, steps, ts, holds``: self-transfer of each unseen language on task ``mlm`` at the largest k.
        ``holds`` is ts > 0; an undefined ts does not hold.
    """
    rows = ts[(ts["setting"] == "nudge") & (ts["task"] == "mlm") & (ts["metric"] == "nll")]
    own = rows[(rows["transfer"] == rows["target"]) & ~rows["transfer"].isin(seen)]
    own = own[own["steps"] == rows["steps"].max()]
    found: pd.DataFrame = own[["transfer", "steps", "ts"]].assign(holds=own["ts"] > 0).reset_index(drop=True)
    return found


def _tell(on_part: Callable[[str], None] | None, part: str) -> None:
    if on_part is not None:
        on_part(part)
