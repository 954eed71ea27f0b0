"""The demo's folder: an artificial world, a tiny base model that has not seen all of it, and studies of both.

    world/                      text, treebanks, translations and so on, names, true distances
    models/tiny/                the base
    demo.yaml                   few-step transfer on six tasks; results in run/, page in report/
    demo_quick.yaml             the part of it that ``demo --quick`` does; its results are a part of run/
    demo_interaction.yaml       languages two and three at a time; interaction/, report_interaction/
    demo_alignment.yaml         translations, layer by layer; alignment/, report_alignment/

The study files are the shipped ones, the seed and the world's languages put to them: each is runnable by itself. What
is there is left as it is, so a stopped demo goes on, and a quick one may be followed by all of it. The same seed gives
the same bytes.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from xltransfer.config.manifests import root
from xltransfer.config.study import Study
from xltransfer.data.world import Counts, World, WorldSpec, make_world, write_world
from xltransfer.engine.pretrain import PretrainSettings
from xltransfer.errors import ConfigError
from xltransfer.protocols.pretraining import BaseRecipe, make_base
from xltransfer.runs.atomic import place_bytes

PRETRAINING = PretrainSettings(
    layers=2, hidden=64, heads=2, steps=3000, batch_size=16, block=64, learning_rate=4e-3, initial=0.05, dropout=0.0
)
"""A tiny base in about half a minute on one core. Without dropout: so small a model does not learn by heart."""


@dataclass(frozen=True)
class Part:
    """One study of the demo.

    Attributes
    ----------
    name
        What it is called.
    study
        Its study file.
    results, report
        Sub-folders of its results and of its page.
    """

    name: str
    study: str
    results: str
    report: str


TRANSFER = Part("transfer", "demo.yaml", "run", "report")
INTERACTION = Part("interaction", "demo_interaction.yaml", "interaction", "report_interaction")
ALIGNMENT = Part("alignment", "demo_alignment.yaml", "alignment", "report_alignment")
QUICK = Part("transfer", "demo_quick.yaml", "run", "report")

PARTS = (TRANSFER, INTERACTION, ALIGNMENT)
"""What the demo does, in this order."""
QUICK_TASKS = ("pos", "mlm")
"""Tasks of the quick demo's study."""


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
    studies
        Name of each study file to its text, without ``seed`` and ``languages``; in the order of `PARTS`.
    """

    world: WorldSpec
    pretraining: PretrainSettings
    vocabulary: int
    studies: Mapping[str, str]

    @property
    def seed(self) -> int:
        """Seed of world, base and studies."""
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
    shipped = {part.study: (root() / "studies" / part.study).read_text(encoding="utf-8") for part in PARTS}
    return Demo(spec, pretraining, 1000, shipped)


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
) -> None:
    """Make what of the demo's folder is not there: world, study files, base.

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
        The folder holds a demo of another seed, size or study; or a study file is not valid.
    DataError
        It holds another world.
    """
    tell = on_part or (lambda part: None)
    world = make_world(demo.world)
    files = study_files(demo, world)
    for name, text in files.items():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"{path} is of another seed, size or version; give another folder with --out, or delete this one"
            )
    missing = [name for name in files if not (folder / name).exists()]
    # Study files come last: where they are, the world is whole.
    if missing:
        tell("world")
        write_world(world, folder / "world", root="world")
        for name in missing:
            place_bytes(folder / name, files[name].encode("utf-8"))
    if not (folder / "models" / "tiny" / "config.json").exists():
        tell("base")
        recipe = BaseRecipe(folder / "world" / "text", _seen(demo), demo.pretraining, demo.vocabulary, demo.seed)
        make_base(recipe, folder / "models" / "tiny", on_step)


def study_files(demo: Demo, world: World) -> dict[str, str]:
    """Return the demo's study files by name: seed, the study as it is shipped, the languages of the world."""
    shipped = {**demo.studies, QUICK.study: quick_study(demo.studies[TRANSFER.study])}
    languages = [
        {name: getattr(language, name) for name in ("code", "name", "family", "genus", "script")}
        for language in world.languages
    ]
    declared = "".join(
        f"  - {yaml.safe_dump(one, default_flow_style=True, sort_keys=False, width=1000)}" for one in languages
    )
    head = f"# Made by xltransfer demo from {demo.digest}.\nseed: {demo.seed}\n"
    return {name: f"{head}{text}\n# As the world made them.\nlanguages:\n{declared}" for name, text in shipped.items()}


def quick_study(study: str) -> str:
    """Return the transfer study, a study file as text, with the tasks of `QUICK_TASKS`, the least and the largest k."""
    content: dict[str, Any] = yaml.safe_load(study)
    content["tasks"] = [task for task in content["tasks"] if task["name"] in QUICK_TASKS]
    names = [task["name"] for task in content["tasks"]]
    steps = [cell["steps"] for cell in content["cells"]]
    content["cells"] = [
        cell | {"tasks": [name for name in names if name in cell.get("tasks", names)]}
        for cell in content["cells"]
        if cell["steps"] in (min(steps), max(steps))
    ]
    said = f"# A part of the study of {TRANSFER.study}, where its choices are explained.\n"
    return said + yaml.safe_dump(content, sort_keys=False, width=120)


def _seen(demo: Demo) -> tuple[str, ...]:
    """Return the languages that the base is pretrained on; all studies must agree.

    Raises
    ------
    ConfigError
        They do not.
    """
    said = {name: Study.model_validate(yaml.safe_load(text)).base.seen or () for name, text in demo.studies.items()}
    if len(set(said.values())) > 1:
        raise ConfigError(f"the studies of the demo differ in base.seen: {said}; they are of one base")
    return said[TRANSFER.study]


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
