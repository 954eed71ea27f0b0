"""``xltransfer predict``: what one model predicts for one target, as a file."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    study: Annotated[str, typer.Argument(help="Study file (YAML), or the name of a shipped study.")],
    run: Annotated[Path, typer.Option(help="Results folder of the study; its task adapters are used.")],
    task: Annotated[str, typer.Option(help="Task of the study; pos and dep give CoNLL-U, ner BIO, others JSON lines.")],
    target: Annotated[str, typer.Option(help="Target of the task: name of a dataset entry.")],
    out: Annotated[Path, typer.Option(help="File to write, UTF-8; its folder is made, an old file replaced.")],
    adapter_seed: Annotated[int, typer.Option(help="Which of the task adapter's seeds, from 0.", min=0)] = 0,
    corpus: Annotated[
        str | None, typer.Option(help="Transfer corpus of the nudge: name of a dataset entry. Default: no nudge.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps k of the nudge.", min=0)] = None,
    replicate: Annotated[int, typer.Option(help="Replicate of the nudge, from 0.", min=0)] = 0,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
) -> None:
    """Write the predictions of the untouched model, or with --corpus and --steps those of one nudged model.

    The nudge is made again from its seeds, so on the same machine it is the model that the run scored. Sentences come
    in the order of the target's file; those over the task's length limit are left out.
    """
    from xltransfer.config.load import load_study
    from xltransfer.protocols.transfer.predictions import open_context, predictions

    context = open_context(load_study(study, data_root), run)
    blocks = predictions(context, task, target, adapter_seed, corpus, steps, None if corpus is None else replicate)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(f"{block}\n" for block in blocks), encoding="utf-8", newline="\n")
    left_out = len(context.encoded(task, target, "test").items) - len(blocks)
    what = "sentences" if context.specs[task].shape in ("pos", "dep", "ner") else "items"
    print(f"{len(blocks)} {what} in {out}" + (f", {left_out} over the length limit left out" if left_out else ""))
