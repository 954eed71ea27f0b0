"""``xltransfer pretrain``: a small BERT from text folders, with chosen languages left unseen."""

from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    text: Annotated[Path, typer.Option(help="Folder with one CODE.txt a language, a sentence a line.")],
    languages: Annotated[str, typer.Option(help="Codes of the languages that the model sees: a,b,c.")],
    out: Annotated[Path, typer.Option(help="Folder of the new model; must be empty or absent.")],
    tokenizer_languages: Annotated[
        str | None, typer.Option(help="Codes that the tokenizer learns from. Default: every file of --text.")
    ] = None,
    layers: Annotated[int, typer.Option(help="Transformer layers.")] = 2,
    hidden: Annotated[int, typer.Option(help="Hidden size; a multiple of --heads.")] = 128,
    heads: Annotated[int, typer.Option(help="Attention heads.")] = 2,
    intermediate: Annotated[
        int | None, typer.Option(help="Width of the feed-forward layer. Default: 4 times --hidden.")
    ] = None,
    vocabulary: Annotated[int, typer.Option(help="Most word pieces, special tokens included.")] = 4000,
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 1500,
    batch: Annotated[int, typer.Option(help="Rows a step.")] = 32,
    block: Annotated[int, typer.Option(help="Subword positions a row, at most 512.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Peak rate of AdamW, after a tenth of the steps.")] = 1e-3,
    initial: Annotated[float, typer.Option(help="Standard deviation of the fresh weights.")] = 0.02,
    dropout: Annotated[float, typer.Option(help="Dropout probability, kept in the model's configuration.")] = 0.1,
    held_out: Annotated[
        float, typer.Option(help="Share of the lines left out, the same that studies score (reader's held_out).")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Root of the random streams.")] = 1,
    threads: Annotated[int, typer.Option(help="CPU threads. Another number gives other bytes.")] = 1,
) -> None:
    """Make a small BERT with trained pooler (masked-LM and sentence-pair loss) and a cased WordPiece tokenizer.

    The tokenizer learns from all languages of the folder, the model from --languages only. The folder is a base model
    for a study (base.model is --out, base.seen are --languages) and loads in transformers.

    Example: xltransfer pretrain --text world/text --languages qaa,qac --out models/tiny --steps 500
    """
    from xltransfer.cli.progress import step_progress
    from xltransfer.engine.pretrain import PretrainSettings
    from xltransfer.protocols.pretraining import BaseRecipe, make_base

    settings = PretrainSettings(
        layers=layers,
        hidden=hidden,
        heads=heads,
        intermediate=intermediate,
        steps=steps,
        batch_size=batch,
        block=block,
        learning_rate=learning_rate,
        initial=initial,
        dropout=dropout,
    )
    known = None if tokenizer_languages is None else codes(tokenizer_languages)
    recipe = BaseRecipe(text, codes(languages), settings, vocabulary, seed, known, held_out, threads)
    with step_progress("pretraining", steps) as on_step:
        trained = make_base(recipe, out, lambda step, loss: on_step(step, f", loss {loss:.2f}"))
    last = max(1, steps // 20)
    masked, pair = (sum(x[-last:]) / last for x in (trained.masked_lm_losses, trained.pair_losses))
    print(f"{trained.tokens:,} tokens in {steps:,} steps; loss at the end {masked:.3f} nats a masked token")
    print(f"sentence pairs {pair:.3f} nats a pair (0.693 is guessing)")
    print(out)


def codes(text: str) -> tuple[str, ...]:
    """Return the codes of a list separated by commas; blanks around them and empty places do not count."""
    return tuple(code for part in text.split(",") if (code := part.strip()))
