"""A results folder as a few-step transfer study writes it, without a model: simulated counts with known true effects.

    from simulate_run import Spec, simulate

    truth = simulate(folder, Spec(transfers=4, replicates=3, steps=(1, 10), targets={"pos": 6, "ner": 5}))
    run = xltransfer.open_run(folder)
    truth.ts       # the true ts of every transfer entry, k and target
    truth.targets  # every test set, and what is odd about it

or ``python analyses/simulate_run.py --out DIR`` for the full size: 38 transfer languages x 10 replicates x 4 k, each
scored on 114 treebanks for pos and dep and on 125 sets of entities. Everything goes through the store, so the folder is
one that every command reads; a study is in its ``run.json``. Equal specs give equal bytes.

What the effects are like: languages of one family are near each other in a space of four dimensions, and the effect of
`a` on `b` (L in `simulated_counts`) is made of a part of `a`, a part of `b` and their nearness, which grows with k.
Sentences of a treebank are scored by pos and by dep; the first treebanks are translations of each other; some sentences
stand in documents; some ids are bare numbers that mean nothing beyond their file. From the eighth target of a task on
there are odd ones: at the floor, with a score of 0, with words that the tokenizer cannot read. `Spec` says what else
there is.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from simulated_counts import (
    Counts,
    Effect,
    Floats,
    Integers,
    by_label,
    expected_counts,
    nudged_counts,
    trivial_counts,
    true_scores,
)
from simulated_world import (
    BASE,
    NUDGE,
    ZERO_STEPS,
    Spec,
    Task,
    World,
    mean_effect,
    of_replicate,
    scales_of,
    study_of,
    world_of,
)

from xltransfer.metrics import SHAPES
from xltransfer.randomness import stream
from xltransfer.runs.cells import Cell
from xltransfer.runs.folder import Header, claim
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated run.

    Attributes
    ----------
    spec
        What was simulated.
    ts
        One row per base, setting (nudge and controls), transfer, corpus, steps, task, dataset, target, metric, whether
        or not it has been scored. Of the population of sentences and replicates: ``reference`` and ``score`` (percent
        or nats) and ``ts`` (percent; NaN for a reference of 0). Of the population of replicates on these very
        sentences, against the untouched model of the first device and task adapter: ``ts_this_test_set``.
    targets
        One row per task, dataset, target: items, words, clusters, reference (percent, population, main metric), trivial
        (its share of right words, percent), and the booleans floor, zero, unreadable, parallel, late.
    """

    spec: Spec
    ts: pd.DataFrame
    targets: pd.DataFrame


def simulate(folder: Path | str, spec: Spec | None = None, workers: int = 1) -> Truth:
    """Write a results folder and return what is true of it.

    Parameters
    ----------
    folder
        The results folder; made. Units that are there already are written again.
    spec
        What to simulate; default the full size.
    workers
        Processes; their number changes no byte.
    """
    spec = spec or Spec()
    folder, world = Path(folder), world_of(spec)
    store = Store(folder)
    settings = {"protocol": "transfer", "seed": spec.seed, "base": BASE}
    claim(folder, Header(study_of(world).model_dump(mode="json"), settings, {"device": spec.devices[0], "threads": 1}))
    for task in world.tasks.values():
        for test_set in task.targets:
            store.write_targets(task.name, test_set.dataset, test_set.language, test_set.items, test_set.clusters)
    for unit, cells in _untouched_units(world):
        store.write(unit, cells)
    entries = range(len(world.corpora))
    if workers == 1:
        for entry in entries:
            _write_entry(folder, spec, entry)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for future in [pool.submit(_write_entry, folder, spec, entry) for entry in entries]:
                future.result()
    return Truth(spec, _true_ts(world), _described(world))


def _write_entry(folder: Path, spec: Spec, entry: int) -> None:
    """Write every unit of one transfer entry: its nudges and controls."""
    world, store, failed = world_of(spec), Store(folder), _failed(spec)
    scales = {name: scales_of(world, task, entry) for name, task in world.tasks.items()}
    for setting, replicate, group in _models(spec, entry):
        for late in (False, True) if spec.late_targets else (False,):
            if late and setting == NUDGE and entry == spec.transfers - 1:
                continue
            key = _key(world, setting, group, late) | _of_entry(world, entry, replicate)
            key |= {} if spec.schedule == "constant" else {"steps": str(group[0])}
            unit = Unit(key)
            if setting == NUDGE and not late and (entry, replicate, group) in failed:
                store.record_failure(unit, RuntimeError("CUDA out of memory (simulated)"))
                continue
            cells: list[Cell] = []
            for steps in group:
                cells += _nudged(world, entry, setting, replicate, steps, late, scales)
            store.write(unit, cells)


def _models(spec: Spec, entry: int) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Yield setting, replicate and the k of every model that starts from one transfer entry."""
    groups = [spec.steps] if spec.schedule == "constant" else [(steps,) for steps in spec.steps]
    for group in groups if spec.steps else ():
        for replicate in range(spec.replicates):
            yield NUDGE, replicate, group
    for setting, count in (("shuffled_text", spec.shuffled_text), ("random_sign", spec.random_sign)):
        for replicate in range(spec.replicates if entry < count and spec.steps else 0):
            yield setting, replicate, (max(spec.steps),)
    if entry < spec.zero_steps:
        yield ZERO_STEPS, 0, (0,)


def _failed(spec: Spec) -> set[tuple[int, int, tuple[int, ...]]]:
    """Return entry, replicate and steps of the nudges that failed."""
    nudges = [
        (entry, replicate, group)
        for entry in range(spec.transfers)
        for setting, replicate, group in _models(spec, entry)
        if setting == NUDGE
    ]
    chosen = stream(spec.seed, "failed").permutation(len(nudges))[: spec.failed]
    return {nudges[number] for number in chosen}


def _of_entry(world: World, entry: int, replicate: int) -> dict[str, Any]:
    code = world.corpora[entry]
    return {"transfer": code, "corpus": f"text-{code}", "replicate": replicate}


def _key(world: World, setting: str, steps: Sequence[int], late: bool) -> dict[str, Any]:
    """Return the part of a unit's key that says what is scored."""
    scores = {}
    for task in world.tasks.values():
        names = [
            target.dataset for target, is_late in zip(task.targets, task.odd["late"], strict=True) if is_late == late
        ]
        for seed in world.adapter_seeds(task):
            scores[task.name if seed is None else f"{task.name}@{seed}"] = names
    key = {"kind": "model", "protocol": "transfer", "base": BASE, "setting": setting}
    return key | {"scores": {str(k): scores for k in steps}}


def _nudged(
    world: World,
    entry: int,
    setting: str,
    replicate: int,
    steps: int,
    late: bool,
    scales: Mapping[str, tuple[Floats, Floats]],
) -> Iterator[Cell]:
    code, device = world.corpora[entry], world.spec.devices[replicate % len(world.spec.devices)]
    identity = _of_entry(world, entry, replicate) | {"setting": setting, "steps": steps, "device": device}
    for task in world.tasks.values():
        for seed in world.adapter_seeds(task):
            counts = world.base(task.name, seed, device)
            if setting != ZERO_STEPS:
                mean = mean_effect(world, task, entry, steps, setting)
                effect = of_replicate(world, task, mean, setting, code, replicate, steps)
                names = (setting, code, replicate, steps, task.name, -1 if seed is None else seed)
                rng = stream(world.spec.seed, "words", *names)
                counts = nudged_counts(task.name, counts, task.sentences, task.level, effect, scales[task.name], rng)
            yield from _cells(world, task, counts, late, adapter_seed=seed, seed=entry, **identity)


def _untouched_units(world: World) -> Iterator[tuple[Unit, list[Cell]]]:
    """Yield the units of the untouched model: baseline with the trivial predictor, and noise."""
    for device in world.spec.devices:
        for late in (False, True) if world.spec.late_targets else (False,):
            baseline, noise = [], []
            for task in world.tasks.values():
                for seed in world.adapter_seeds(task):
                    counts, about = world.base(task.name, seed, device), {"adapter_seed": seed, "device": device}
                    subwords = counts | (_subwords(world, task) if task.seeds else {})
                    baseline += _cells(world, task, subwords, late, setting="baseline", **about)
                    if task.seeds:
                        rng = stream(world.spec.seed, "trivial counts", task.name)
                        trivial = trivial_counts(task.name, task.sentences, task.trivial, rng)
                        baseline += _cells(world, task, trivial, late, setting="trivial", **about)
                    for setting in ("noise_batching", "noise_precision"):
                        again = world.rescored(task.name, counts, 0.0005, setting, device, -1 if seed is None else seed)
                        noise += _cells(world, task, again, late, setting=setting, **about)
            for setting, cells in (("baseline", baseline), ("noise", noise)):
                yield Unit(_key(world, setting, (0,), late) | {"device": device}), cells


def _subwords(world: World, task: Task) -> Counts:
    rng, words = stream(world.spec.seed, "subwords", task.name), task.sentences.words
    subwords = words + rng.binomial(words, 0.5)
    return {
        "subwords": subwords,
        "unknown": rng.binomial(subwords, np.where(task.odd["unreadable"], 0.4, 0.005)[task.sentences.target]),
    }


def _cells(world: World, task: Task, counts: Counts, late: bool, **about: Any) -> Iterator[Cell]:
    """Yield the cells of the targets that are, or are not, late."""
    labelled: Mapping[str, Integers] = {}
    if world.spec.labels and task.seeds:
        names = [str(value) for value in about.values()]
        labelled = by_label(
            task.name, counts, world.gold(task.name), stream(world.spec.seed, "by label", task.name, *names)
        )
    labels = tuple(f"LABEL{number}" for number in range(world.spec.labels))
    for number, target in enumerate(task.targets):
        if task.odd["late"][number] != late:
            continue
        rows = slice(task.starts[number], task.starts[number + 1])
        yield Cell(
            task=task.name,
            dataset=target.dataset,
            target=target.language,
            shape=task.name,
            n_items=len(target.words),
            n_scored=int(np.count_nonzero(target.words)),
            counts={column: values[rows] for column, values in counts.items()},
            label_counts={column: (labels, values[:, rows]) for column, values in labelled.items()},
            options={"schedule": world.spec.schedule, "pooler": "keep"},
            **about,
        )


def _true_ts(world: World) -> pd.DataFrame:
    """Return the frame of `Truth.ts`."""
    parts = []
    for entry, code in enumerate(world.corpora):
        scales = {name: scales_of(world, task, entry) for name, task in world.tasks.items()}
        models = {(setting, steps) for setting, _, group in _models(world.spec, entry) for steps in group}
        for setting, steps in sorted(models):
            about = {"base": BASE, "setting": setting, "transfer": code, "corpus": f"text-{code}", "steps": steps}
            for task in world.tasks.values():
                effect = None if setting == ZERO_STEPS else mean_effect(world, task, entry, steps, setting)
                parts += [frame.assign(**about) for frame in _true_of_task(world, task, effect, scales[task.name])]
    keys = ["base", "setting", "transfer", "corpus", "steps", "task", "dataset", "target", "metric"]
    values = ["reference", "score", "ts", "ts_this_test_set"]
    return pd.concat(parts, ignore_index=True)[[*keys, *values]] if parts else pd.DataFrame(columns=[*keys, *values])


def _true_of_task(
    world: World, task: Task, effect: Effect | None, scales: tuple[Floats, Floats]
) -> Iterator[pd.DataFrame]:
    base = world.base(task.name, world.adapter_seeds(task)[0], world.spec.devices[0])
    sums = {column: task.sentences.per_target(values, len(task.targets)) for column, values in base.items()}
    nudged = sums if effect is None else expected_counts(task.name, base, task.sentences, task.level, effect, scales)
    before, after = true_scores(task.name, task.level), true_scores(task.name, task.level, effect)
    for metric in SHAPES[task.name]:
        sign = 1.0 if metric.higher_is_better else -1.0
        reference, score = before[metric.name], after[metric.name]
        own, moved = metric.score(sums), metric.score(nudged)
        yield pd.DataFrame(
            {
                "task": task.name,
                "dataset": [target.dataset for target in task.targets],
                "target": [target.language for target in task.targets],
                "metric": metric.name,
                "reference": reference,
                "score": score,
                "ts": _percent(sign, score, reference),
                "ts_this_test_set": _percent(sign, moved, own),
            }
        )


def _percent(sign: float, score: Floats, reference: Floats) -> Floats:
    return sign * 100.0 * (score - reference) / np.where(reference == 0.0, np.nan, reference)


def _described(world: World) -> pd.DataFrame:
    """Return the frame of `Truth.targets`."""
    rows = []
    for task in world.tasks.values():
        reference = true_scores(task.name, task.level)[SHAPES[task.name][0].name]
        for number, target in enumerate(task.targets):
            row = {"task": task.name, "dataset": target.dataset, "target": target.language, "items": len(target.words)}
            row |= {"words": int(target.words.sum()), "clusters": len(set(target.clusters))}
            row |= {"reference": reference[number], "trivial": 100.0 * task.trivial[number]}
            row |= {name: bool(flags[number]) for name, flags in task.odd.items()}
            rows.append(row | {"parallel": target.parallel})
    return pd.DataFrame(rows)


def main(
    out: Annotated[Path, typer.Option(help="The results folder; made.")],
    transfers: Annotated[int, typer.Option(help="Transfer languages.", min=1)] = 38,
    replicates: Annotated[int, typer.Option(help="Replicates of each.", min=1)] = 10,
    steps: Annotated[list[int], typer.Option(help="Optimizer steps k; may be given again.")] = [1, 10, 100, 1000],  # noqa: B006
    treebanks: Annotated[int, typer.Option(help="Targets of pos and of dep.", min=1)] = 114,
    entities: Annotated[int, typer.Option(help="Targets of ner.", min=1)] = 125,
    mean_items: Annotated[float, typer.Option(help="Sentences a target, on average.", min=10)] = 100.0,
    labels: Annotated[int, typer.Option(help="Gold labels whose counts are stored; 0: none.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Root of every random stream.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes; their number changes no byte.", min=1)] = 2,
) -> None:
    """Simulate a results folder; the full size takes minutes and under 3 GB."""
    spec = Spec(
        seed=seed,
        transfers=transfers,
        replicates=replicates,
        steps=tuple(steps),
        targets={"pos": treebanks, "dep": treebanks, "ner": entities},
        mean_items=mean_items,
        labels=labels,
    )
    truth = simulate(out, spec, workers)
    units = sum(1 for _ in (out / "measurements").glob("*.parquet"))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {units} units, {len(truth.targets)} targets, {size / 1e9:.2f} GB")


if __name__ == "__main__":
    typer.run(main)
