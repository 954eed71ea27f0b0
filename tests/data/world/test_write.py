"""The data folder of a world: bytes, formats, manifests."""

import hashlib
import json
from pathlib import Path

import conllu
import pandas as pd
import pytest
import yaml

from xltransfer.config.manifests import DatasetManifest
from xltransfer.config.resolve import EntryRef
from xltransfer.data.parallel_text import matched, read_side
from xltransfer.data.world import Counts, World, WorldSpec, make_world, write_world
from xltransfer.errors import DataError

SPEC = WorldSpec(
    seed=11,
    families=((2,), (1,)),
    lemmas=300,
    counts=Counts(text=30, train=12, dev=5, test=7, ner_train=12, ner_test=6, parallel=9),
)


def digests(folder: Path) -> dict[str, str]:
    """Return path -> SHA-256 of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """A small world and its folder."""
    world, folder = make_world(SPEC), tmp_path_factory.mktemp("world")
    write_world(world, folder)
    return world, folder


def test_same_spec_same_bytes(written: tuple[World, Path], tmp_path: Path) -> None:
    _, folder = written
    write_world(make_world(WorldSpec.model_validate_json((folder / "world.json").read_text())), tmp_path)
    assert digests(tmp_path) == digests(folder)
    write_world(make_world(SPEC), tmp_path)  # again into the same folder
    assert digests(tmp_path) == digests(folder)


def test_another_language_leaves_the_others_files(written: tuple[World, Path], tmp_path: Path) -> None:
    _, folder = written
    write_world(make_world(SPEC.model_copy(update={"families": ((3, 1), (1,))})), tmp_path)
    before, after = digests(folder), digests(tmp_path)
    own = [path for path in before if path.startswith(("text", "ud", "ner", "parallel"))]
    assert len(own) == 3 * (1 + 3 + 2 + 1)
    assert {path: after[path] for path in own} == {path: before[path] for path in own}


def test_another_world_is_refused(written: tuple[World, Path]) -> None:
    _, folder = written
    with pytest.raises(DataError, match=r"world\.json: the folder holds a world of another spec; give an empty folder"):
        write_world(make_world(SPEC.model_copy(update={"seed": 12})), folder)


def test_treebanks_are_valid_conllu(written: tuple[World, Path]) -> None:
    world, folder = written
    for language in world.languages:
        for split, number in (("train", 12), ("dev", 5), ("test", 7)):
            path = folder / f"ud/World_{language.name}/{language.code}-ud-{split}.conllu"
            parsed = conllu.parse(path.read_text(encoding="utf-8"))
            expected = world.treebank(language.code, number, split)
            assert len(parsed) == number
            for sentence, own in zip(parsed, expected, strict=True):
                assert sentence.metadata["sent_id"] == own.id
                assert tuple(t["form"] for t in sentence) == own.words
                assert tuple(t["upos"] for t in sentence) == own.tags
                assert tuple(t["head"] for t in sentence) == own.heads
                assert tuple(t["deprel"] for t in sentence) == own.relations
                assert [t["id"] for t in sentence] == list(range(1, len(sentence) + 1))
                glue = ["" if (t["misc"] or {}).get("SpaceAfter") == "No" else " " for t in sentence]
                text = "".join(t["form"] + space for t, space in zip(sentence, glue, strict=True))
                assert text.strip() == sentence.metadata["text"]
            marks = [s.metadata["newdoc id"] for s in parsed if "newdoc id" in s.metadata]
            assert marks == list(dict.fromkeys(s.cluster for s in expected))


def test_name_files_are_token_tag_lines(written: tuple[World, Path]) -> None:
    world, folder = written
    for code in world.codes:
        blocks = (folder / f"ner/{code}/test.txt").read_text(encoding="utf-8").strip().split("\n\n")
        rows = [tuple(tuple(line.split(" ")) for line in block.split("\n")) for block in blocks]
        own = [tuple(zip(s.words, s.entities or (), strict=True)) for s in world.ner(code, 6, "test")]
        assert rows == own


def test_text_parallel_and_tables(written: tuple[World, Path]) -> None:
    world, folder = written
    parallel = world.parallel(9)
    for code in world.codes:
        assert (folder / f"text/{code}.txt").read_text(encoding="utf-8").splitlines() == world.text(code, 30)
        assert (folder / f"parallel/{code}.txt").read_text(encoding="utf-8").splitlines() == parallel[code]
    for axis, frame in world.distances().items():
        stored = pd.read_csv(folder / f"distances/{axis}.csv", index_col=0)
        pd.testing.assert_frame_equal(stored, frame, atol=1e-6, check_names=False)
    languages = pd.read_csv(folder / "languages.csv")
    assert languages["code"].tolist() == list(world.codes)
    assert list(languages.columns) == ["code", "name", "family", "genus", "script"]
    assert json.loads((folder / "world.json").read_text())["seed"] == 11


def test_manifests_are_valid_and_name_files_that_exist(written: tuple[World, Path]) -> None:
    world, folder = written
    entries: list[str] = []
    for name, kind, splits in (
        ("world-text", "text", {"train"}),
        ("world-ud", "conllu", {"train", "dev", "test"}),
        ("world-ner", "bio", {"train", "test"}),
        ("world-parallel", "text", {"test"}),
    ):
        manifest = DatasetManifest.model_validate(yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8")))
        assert (manifest.name, manifest.reader.kind, manifest.root) == (name, kind, ".")
        assert [entry.language for entry in manifest.entries] == list(world.codes)
        entries += [entry.name for entry in manifest.entries]
        for entry in manifest.entries:
            assert set(entry.files) == splits
            assert all((folder / path).is_file() for path in entry.files.values())
    assert len(set(entries)) == len(entries)


def test_parts_without_sentences_are_not_written(tmp_path: Path) -> None:
    counts = SPEC.counts.model_copy(update={"dev": 0, "parallel": 0})
    write_world(make_world(SPEC.model_copy(update={"counts": counts})), tmp_path, root="demo")
    trees = yaml.safe_load((tmp_path / "world-ud.yaml").read_text(encoding="utf-8"))
    assert set(trees["entries"][0]["files"]) == {"train", "test"}
    assert trees["root"] == "demo"
    assert not list(tmp_path.rglob("*-ud-dev.conllu")) and not (tmp_path / "parallel").exists()
    assert not (tmp_path / "world-parallel.yaml").exists()


def test_translations_are_declared_and_share_ids(written: tuple[World, Path]) -> None:
    world, folder = written
    manifest = DatasetManifest.model_validate(yaml.safe_load((folder / "world-parallel.yaml").read_text("utf-8")))
    refs = [EntryRef(manifest.name, e.name, e.language, manifest.reader, folder, e.files) for e in manifest.entries]
    first, second, *_ = (read_side(ref, "test") for ref in refs)
    assert first.collection == second.collection == "world-11-parallel"
    assert [text.id for text in first.texts] == [text.id for text in matched(first, second).texts]
    assert len({text.id for text in first.texts}) == 9
    assert [text.text for text in second.texts] == world.parallel(9)[world.codes[1]]
