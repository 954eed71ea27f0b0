"""``xltransfer adapters train``: the language adapters of a study, many of them in one pass."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Paper = Literal["faisal2024", "faisal2024_code", "madx2020"]


def train(
    study: Annotated[str, typer.Argument(help="Study file (YAML), or the name of a shipped study.")],
    out: Annotated[Path, typer.Option(help="Folder of the adapters; made, or continued.")],
    paper: Annotated[
        Paper,
        typer.Option(
            help="Whose settings: faisal2024 (reduction 16, 3 epochs, rate 5e-4, blocks of 256), its scripts (rate "
            "5e-5, blocks of 512), or madx2020 (reduction 2 and invertible, 250,000 steps of 64, rate 1e-4)."
        ),
    ] = "faisal2024",
    steps: Annotated[int | None, typer.Option(help="Optimizer steps an adapter. Default: the paper's.")] = None,
    block: Annotated[int | None, typer.Option(help="Subword positions a block. Default: the paper's.")] = None,
    batch: Annotated[int | None, typer.Option(help="Blocks a step. Default: the paper's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW. Default: the paper's.")] = None,
    base_dropout: Annotated[
        Literal["off", "on"], typer.Option(help="Whether the frozen base model drops, as in the papers' scripts.")
    ] = "off",
    at_once: Annotated[
        int | None, typer.Option(help="Adapters in one pass. Default: as many as the memory at hand holds.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
) -> None:
    """Train a masked-LM adapter on every transfer corpus of STUDY and write each as a folder that AdapterHub loads.

    All of them go through the frozen base model in one pass, each with its own data, seed and optimizer; the outcome is
    that of training one after another. Stop it with Ctrl-C: the same command goes on with the adapters that are not
    written yet.

    Example: xltransfer adapters train demo --out adapters --steps 50 --block 64
    """
    from contextlib import ExitStack
    from dataclasses import replace

    from xltransfer.cli.progress import step_progress
    from xltransfer.config.load import load_study
    from xltransfer.protocols import language_adapters
    from xltransfer.protocols.study_language_adapters import Corpora, adapters_for_study

    given = {"steps": steps, "block": block, "batch_size": batch, "learning_rate": learning_rate}
    published = getattr(language_adapters, paper.upper())
    changed = {name: value for name, value in given.items() if value is not None}
    settings = replace(published, base_dropout=base_dropout, **changed)
    with ExitStack() as stack:

        def on_plan(left: Corpora, size: int) -> language_adapters.OnSteps:
            total, done = language_adapters.total_steps(left, settings), [0]
            print(f"{len(left)} adapters to train, {min(size, len(left))} in one pass, {total:,} steps", flush=True)
            on_step = stack.enter_context(step_progress("adapters", total))

            def on_steps(taken: int) -> None:
                done[0] += taken
                on_step(done[0], "")

            return on_steps

        folders = adapters_for_study(load_study(study, data_root), out, settings, at_once, on_plan)
    for folder in folders:
        print(folder)
