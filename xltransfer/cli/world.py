"""``xltransfer world``: write the artificial languages to a folder."""

from pathlib import Path
from typing import Annotated

import typer


def world(
    out: Annotated[Path, typer.Option(help="Folder for the world; made where needed.")],
    seed: Annotated[int, typer.Option(help="Seed of the languages and their texts.")] = 1,
    scale: Annotated[float, typer.Option(help="Times the default amount of text and sentences.")] = 1.0,
) -> None:
    """Write fourteen artificial languages with known relatedness: text, annotated data of all tasks, translations.

    The folder is read like any other data: name OUT/world-text.yaml, world-ud.yaml and so on under `datasets:` of a
    study and declare the languages of OUT/languages.csv under `languages:`. distances/ holds the true distances.
    """
    from rich.console import Console
    from rich.table import Table

    from xltransfer.data.world import make_world, write_world
    from xltransfer.protocols.demo import scaled_world

    made = make_world(scaled_world(seed, scale))
    paths = write_world(made, out)
    table = Table(title=f"world of seed {seed}: {made.lexicon.lemmas} lemmas")
    for name in ("code", "name", "family", "genus", "script"):
        table.add_column(name)
    for language in made.languages:
        table.add_row(language.code, language.name, language.family, language.genus, language.script)
    Console().print(table)
    counts = made.spec.counts
    print(
        f"each language: {counts.text} lines of text (text/CODE.txt), {counts.parallel} parallel sentences (parallel/)"
    )
    print(f"  treebanks (ud/) of {counts.train} train, {counts.dev} dev and {counts.test} test sentences")
    print(f"  named entities (ner/) of {counts.ner_train} train and {counts.ner_test} test sentences")
    print(f"  inference (nli/) of {3 * counts.nli_train} train and {3 * counts.nli_test} test pairs")
    print(f"  questions (qa/), {counts.qa_train} train and {counts.qa_test} test")
    print(f"  reviews (reviews/), {counts.reviews_train} train and {counts.reviews_test} test")
    print("true distances: distances/" + ", ".join(sorted(made.distances())))
    for path in paths:
        print(path)
