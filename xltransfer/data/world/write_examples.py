"""Pairs, questions and reviews of a world as files, and their dataset manifests.

nli/CODE-{train,test}.tsv        ``id premise hypothesis label``; ids are numbers, three in a row have one premise
qa/CODE-{train,test}.json        SQuAD v1.1
reviews/CODE-{train,test}.jsonl  ``id text stars``
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xltransfer.data.question import Question
from xltransfer.data.world.pairs import LABELS
from xltransfer.data.world.world import World
from xltransfer.languages import Language

SPLITS = ("train", "test")
ENDINGS = {"nli": "tsv", "qa": "json", "reviews": "jsonl"}
TITLES = {"nli": "inference", "qa": "questions on paragraphs", "reviews": "reviews with stars"}


def example_files(world: World, language: Language) -> Iterator[tuple[str, str]]:
    """Yield path and content of one language's files."""
    for kind in ENDINGS:
        for split, number in amounts(world, kind).items():
            yield _path(language, kind, split), _CONTENT[kind](world, language.code, number, split)


def amounts(world: World, kind: str) -> Mapping[str, int]:
    """Return how much each split has, without those that have nothing; nothing at all where there is no test part."""
    counts = {split: int(getattr(world.spec.counts, f"{kind}_{split}")) for split in SPLITS}
    return {split: number for split, number in counts.items() if number} if counts["test"] else {}


def example_manifests(world: World, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the manifests of what the world has; ``common`` are the keys that all of a world's manifests share."""
    for kind in ENDINGS:
        if splits := amounts(world, kind):
            parallel = {split: f"world-{world.spec.seed}-{kind}-{split}" for split in splits}
            yield {
                "name": f"world-{kind}",
                "title": f"Artificial world: {TITLES[kind]}",
                **common,
                "reader": _READERS[kind] | {"parallel": parallel},
                "entries": [
                    {
                        "name": f"{kind}-{language.code}",
                        "language": language.code,
                        "files": {split: _path(language, kind, split) for split in splits},
                    }
                    for language in world.languages
                ],
            }


_READERS: Mapping[str, dict[str, Any]] = {
    "nli": {"kind": "pairs", "id_column": "id", "hypotheses": len(LABELS)},
    "qa": {"kind": "squad"},
    "reviews": {"kind": "labelled", "format": "jsonl", "id_column": "id", "label_column": "stars"},
}


def _path(language: Language, kind: str, split: str) -> str:
    return f"{kind}/{language.code}-{split}.{ENDINGS[kind]}"


def _nli(world: World, code: str, number: int, split: str) -> str:
    rows = [(each.id, each.text, each.second or "", each.label) for each in world.pairs(code, number, split)]
    return "".join("\t".join(row) + "\n" for row in [("id", "premise", "hypothesis", "label"), *rows])


def _qa(world: World, code: str, number: int, split: str) -> str:
    paragraphs: dict[str, list[Question]] = {}
    for question in world.questions(code, number, split):
        paragraphs.setdefault(question.context, []).append(question)
    articles = [
        {"title": each[0].cluster, "paragraphs": [{"context": context, "qas": [_asked(one) for one in each]}]}
        for context, each in paragraphs.items()
    ]
    return json.dumps({"version": "1.1", "data": articles}, ensure_ascii=False, indent=1) + "\n"


def _asked(question: Question) -> dict[str, Any]:
    answers = [{"text": answer.text, "answer_start": answer.start} for answer in question.answers]
    return {"id": question.id, "question": question.question, "answers": answers}


def _reviews(world: World, code: str, number: int, split: str) -> str:
    rows: Sequence[dict[str, Any]] = [
        {"id": each.id, "text": each.text, "stars": int(each.label)} for each in world.reviews(code, number, split)
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


_CONTENT = {"nli": _nli, "qa": _qa, "reviews": _reviews}
