"""A world as an ordinary data folder, read by the same readers as real data; the same bytes for the same spec.

text/CODE.txt                              one sentence a line
ud/World_NAME/CODE-ud-{train,dev,test}.conllu
ner/CODE/{train,test}.txt                  ``token TAG`` lines, IOB2
parallel/CODE.txt                          equal line numbers are translations
nli/, qa/, reviews/                        see ``write_examples``
distances/{sound,lexical,order,script,tree}.csv
languages.csv, world.json                  the languages; the spec
world-{text,ud,ner,parallel,nli,qa,reviews}.yaml    dataset manifests
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from xltransfer.data.world.realise import Utterance
from xltransfer.data.world.world import World
from xltransfer.data.world.write_examples import example_files, example_manifests
from xltransfer.errors import DataError
from xltransfer.languages import Language

SPEC_FILE = "world.json"


def write_world(world: World, folder: Path, root: str = ".") -> tuple[Path, ...]:
    """Write a world into a folder, which is made where needed.

    Parameters
    ----------
    world
        What to write; how much stands in ``world.spec.counts``.
    folder
        Where to. A folder with the same world is written again.
    root
        ``root`` of the manifests: this folder as seen from the study's ``data_root``.

    Returns
    -------
    tuple of Path
        The manifests: text, ud, ner, and those of parallel, nli, qa and reviews that the world has.

    Raises
    ------
    DataError
        If the folder holds another world.
    """
    spec = json.dumps(world.spec.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    marker = folder / SPEC_FILE
    if marker.exists() and marker.read_text(encoding="utf-8") != spec:
        raise DataError(f"{marker}: the folder holds a world of another spec; give an empty folder, or delete this one")
    _put(marker, spec)
    for language in world.languages:
        _write_language(world, language, folder)
    for axis, frame in world.distances().items():
        _put(folder / "distances" / f"{axis}.csv", frame.to_csv(float_format="%.6f", lineterminator="\n"))
    _put(folder / "languages.csv", _languages_csv(world.languages))
    paths = []
    for manifest in manifests(world, root):
        paths.append(folder / f"{manifest['name']}.yaml")
        _put(paths[-1], yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120))
    return tuple(paths)


def _write_language(world: World, language: Language, folder: Path) -> None:
    """Write one language's files."""
    code, counts = language.code, world.spec.counts
    _put(folder / "text" / f"{code}.txt", _lines(world.text(code, counts.text)))
    for split in _treebank_splits(world):
        trees = world.utterances(code, getattr(counts, split), "ud", split)
        _put(folder / _treebank(language, split), conllu(trees))
    for split, number in (("train", counts.ner_train), ("test", counts.ner_test)):
        _put(folder / _names(language, split), bio(world.utterances(code, number, "ner", split)))
    if counts.parallel:
        parallel = [utterance.text for utterance in world.utterances(code, counts.parallel, "parallel")]
        _put(folder / "parallel" / f"{code}.txt", _lines(parallel))
    for path, content in example_files(world, language):
        _put(folder / path, content)


def _treebank_splits(world: World) -> tuple[str, ...]:
    """Return the parts of the treebanks that have sentences."""
    return ("train", "dev", "test") if world.spec.counts.dev else ("train", "test")


def _treebank(language: Language, split: str) -> str:
    """Return the path of a treebank file."""
    return f"ud/World_{language.name}/{language.code}-ud-{split}.conllu"


def _names(language: Language, split: str) -> str:
    """Return the path of a named-entity file."""
    return f"ner/{language.code}/{split}.txt"


def conllu(utterances: Sequence[Utterance]) -> str:
    """Return sentences in CoNLL-U, documents marked by ``newdoc``."""
    return "".join(_conllu_lines(utterances))


def _conllu_lines(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Yield the lines of a CoNLL-U file."""
    document = ""
    for utterance in utterances:
        if utterance.document != document:
            document = utterance.document
            yield f"# newdoc id = {document}\n"
        yield f"# sent_id = {utterance.id}\n# text = {utterance.text}\n"
        following = [*utterance.tokens[1:], None]
        for number, (t, after) in enumerate(zip(utterance.tokens, following, strict=True), start=1):
            space = "SpaceAfter=No" if after is not None and after.upos == "PUNCT" else "_"
            row = (t.form, t.lemma, t.upos, "_", t.features or "_", str(t.head), t.relation, "_", space)
            yield f"{number}\t" + "\t".join(row) + "\n"
        yield "\n"


def bio(utterances: Sequence[Utterance]) -> str:
    """Return sentences as ``token TAG`` lines, a blank line after each."""
    return "".join("".join(f"{t.form} {t.entity}\n" for t in u.tokens) + "\n" for u in utterances)


def manifests(world: World, root: str) -> tuple[dict[str, Any], ...]:
    """Return the dataset manifests of a world: text, ud, ner, and those of what else it has."""
    common = {
        "source": f"made by xltransfer.data.world, seed {world.spec.seed}",
        "licence": "Apache-2.0",
        "citation": "xltransfer, artificial world",
        "root": root,
    }
    splits = _treebank_splits(world)
    return (
        {
            "name": "world-text",
            "title": "Artificial world: plain text",
            **common,
            "reader": {"kind": "text", "held_out": 0.1},
            "entries": [
                _entry(lang, f"text-{lang.code}", {"train": f"text/{lang.code}.txt"}) for lang in world.languages
            ],
        },
        {
            "name": "world-ud",
            "title": "Artificial world: treebanks",
            **common,
            "reader": {"kind": "conllu"},
            "entries": [
                _entry(lang, f"World_{lang.name}", {split: _treebank(lang, split) for split in splits})
                for lang in world.languages
            ],
        },
        {
            "name": "world-ner",
            "title": "Artificial world: named entities",
            **common,
            "reader": {"kind": "bio"},
            "entries": [
                _entry(lang, f"ner-{lang.code}", {split: _names(lang, split) for split in ("train", "test")})
                for lang in world.languages
            ],
        },
        *_parallel_manifest(world, common),
        *example_manifests(world, common),
    )


def _parallel_manifest(world: World, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the manifest of the translations, if the world has any; they are of a part ``test``, none is held out."""
    if world.spec.counts.parallel:
        yield {
            "name": "world-parallel",
            "title": "Artificial world: translations",
            **common,
            "reader": {"kind": "text", "held_out": 0.0, "parallel": {"test": f"world-{world.spec.seed}-parallel"}},
            "entries": [
                _entry(lang, f"parallel-{lang.code}", {"test": f"parallel/{lang.code}.txt"}) for lang in world.languages
            ],
        }


def _entry(language: Language, name: str, files: dict[str, str]) -> dict[str, Any]:
    """Return a manifest's entry."""
    return {"name": name, "language": language.code, "files": files}


def _languages_csv(languages: Sequence[Language]) -> str:
    """Return languages.csv."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["code", "name", "family", "genus", "script"])
    writer.writerows([lang.code, lang.name, lang.family, lang.genus, lang.script] for lang in languages)
    return buffer.getvalue()


def _lines(lines: Sequence[str]) -> str:
    """Return lines as a file's text."""
    return "".join(f"{line}\n" for line in lines)


def _put(path: Path, text: str) -> None:
    """Write a text file with line feeds, on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))
