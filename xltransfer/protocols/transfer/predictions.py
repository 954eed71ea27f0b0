"""The predictions of one model of a study on one target, item by item: as CoNLL-U, as BIO, or as a JSON object a line.

The model is made again: task adapters come from the results folder, a nudge from the study's seeds, by the very path
that scoring takes. Nothing is written here.
"""

from pathlib import Path

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine import Stack
from xltransfer.errors import ConfigError, RunFolderError, near_match
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.header import header_of
from xltransfer.protocols.transfer.scoring import path_of
from xltransfer.protocols.transfer.wanted import NUDGE, adapter_units, scorer_name
from xltransfer.protocols.transfer.work import context_for
from xltransfer.runs.folder import differences, read_header
from xltransfer.tasks.score import answers


def open_context(resolved: ResolvedStudy, folder: Path) -> Context:
    """Return the context of a finished, or growing, run of ``resolved`` in ``folder``.

    Raises
    ------
    RunFolderError
        There is no run, or it was made with other settings, weights or data. Another environment is no obstacle: it
        moves the last digits, not the model.
    """
    context = context_for(resolved, str(folder))
    found = differences(read_header(folder), header_of(resolved, context.tokenizer, context.device.type))
    lines = [
        f"  {key}: {before} in the folder, {now} in the study"
        for key, (before, now) in found.items()
        if not key.startswith("environment.")
    ]
    if lines:
        raise RunFolderError("\n".join([f"{folder} was made with other values than this study's:", *lines]))
    return context


def predictions(
    context: Context,
    task: str,
    entry: str,
    adapter_seed: int,
    corpus: str | None = None,
    steps: int | None = None,
    replicate: int | None = None,
) -> list[str]:
    """Return what a model predicts for a target.

    Parameters
    ----------
    context
        The study and its results folder.
    task, entry
        Name of a task with adapter, and of one of its targets.
    adapter_seed
        Which task adapter, from 0.
    corpus, steps, replicate
        Transfer corpus, optimizer steps and replicate of a nudge; all None for the untouched model.

    Returns
    -------
    list of str
        A block of lines an item, in the order of the file; items that are not scored (over the length limit, blank)
        are left out. A word that has no gold label has a prediction all the same.

    Raises
    ------
    ConfigError
        Task, target, seed, corpus or replicate are none of the study's, or a nudge is half given.
    RunFolderError
        The folder does not have the task adapter yet.
    """
    scorer = _scorer(context, task, entry, adapter_seed)
    nudged = _nudge(context, corpus, steps, replicate)
    context.load_scorer(scorer)
    if nudged is None:
        return _annotated(context, task, entry, scorer)
    name, stop, number = nudged
    with path_of(context, NUDGE, name, number, stop) as path:
        found: list[str] = []
        for _ in path.stop_at(stop):
            found = _annotated(context, task, entry, scorer)
    return found


def _annotated(context: Context, task: str, entry: str, scorer: str) -> list[str]:
    """Return the blocks of the model as it stands now."""
    prepared = context.prepared(task, entry)
    given = answers(context.task(task), context.model, Stack(scorer), scorer, prepared.batches)
    return context.task(task).annotated(prepared.encoded, prepared.rows, given)


def _scorer(context: Context, task: str, entry: str, adapter_seed: int) -> str:
    """Return the scorer's name after checking task, target and seed, and that the folder has the adapter."""
    if task not in context.specs:
        raise ConfigError(f"the study has no task {task!r}{near_match(task, context.specs)}")
    spec = context.specs[task]
    if spec.adapter is None:
        raise ConfigError(
            f"task {task!r} has shape {spec.shape}, which predicts no labels; choose one of shape pos, dep, ner, nli, "
            "qa or classification"
        )
    targets = [ref.name for ref in context.resolved.targets[task]]
    if entry not in targets:
        raise ConfigError(f"task {task!r} has no target {entry!r}{near_match(entry, targets)}")
    if not 0 <= adapter_seed < spec.adapter.seeds:
        raise ConfigError(
            f"adapter seed {adapter_seed} of task {task!r}: the study trains {spec.adapter.seeds} "
            f"(numbers 0 to {spec.adapter.seeds - 1})"
        )
    scorer = scorer_name(spec, adapter_seed)
    if not context.store.is_present(adapter_units(context.resolved)[scorer]):
        raise RunFolderError(
            f"{context.store.folder} has no task adapter {scorer} of this study; run the study into it first"
        )
    return scorer


def _nudge(
    context: Context, corpus: str | None, steps: int | None, replicate: int | None
) -> tuple[str, int, int] | None:
    """Return corpus, steps and replicate of a nudge after checking them; None for the untouched model."""
    if corpus is None and steps is None and replicate is None:
        return None
    if corpus is None or steps is None or replicate is None:
        raise ConfigError(
            f"a nudge needs corpus, steps and replicate together, got corpus={corpus!r}, steps={steps}, "
            f"replicate={replicate}; leave all of them out for the untouched model"
        )
    known = [ref.name for ref in context.resolved.corpora]
    if corpus not in known:
        raise ConfigError(f"the study has no transfer corpus {corpus!r}{near_match(corpus, known)}")
    replicates = context.study.transfer.replicates
    if not 0 <= replicate < replicates:
        raise ConfigError(f"replicate {replicate}: the study has {replicates} (numbers 0 to {replicates - 1})")
    if steps < 0:
        raise ConfigError(f"steps {steps} is negative; 0 is the untouched model")
    return corpus, steps, replicate
