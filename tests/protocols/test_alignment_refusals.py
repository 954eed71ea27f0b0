"""What an alignment study is refused for before its first unit, by run, plan and check alike."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mini_alignment import MATCHED, N, study_file, write_home
from mini_study import WORLD, MiniStudy
from typer.testing import CliRunner

from xltransfer.cli.main import app
from xltransfer.config.load import load_study
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.world.world import make_world
from xltransfer.errors import ConfigError, DataError
from xltransfer.protocols.alignment.context import adapter_folders
from xltransfer.protocols.alignment.pairs import pairs_of
from xltransfer.protocols.alignment.plan import make_plan
from xltransfer.protocols.alignment.run import run_study
from xltransfer.protocols.alignment.states import wanted
from xltransfer.protocols.by_name import foreseen

CODES = make_world(WORLD).codes


@pytest.fixture(scope="module")
def home(mini_files: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature study's files, with parallel sentences and a language adapter for each language."""
    return write_home(tmp_path_factory.mktemp("refusals"), mini_files)


def with_datasets(path: Path, *datasets: Mapping[str, Any]) -> ResolvedStudy:
    """Add datasets of text to a written study; each says name, root, reader and entries (language and test file)."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for each in datasets:
        reader = {"kind": "text", "held_out": 0} | each["reader"]
        entries = [
            {"name": f"{each['name']}-{n}", "language": code, "files": {"test": file}}
            for n, (code, file) in enumerate(each["entries"])
        ]
        about = {"title": "t", "source": "s", "licence": "l", "citation": "c"}
        data["datasets"].append(
            about | {"name": each["name"], "root": each["root"], "reader": reader} | {"entries": entries}
        )
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return load_study(path)


def set_of(*datasets: str, **more: Any) -> dict[str, Any]:
    """Return the section with one set of the given datasets, in the untouched model."""
    return {"compared": [{"name": "s", "data": [{"dataset": name} for name in datasets]} | more], "states": []}


def in_columns(name: str, root: str, column: int, *entries: tuple[str, str]) -> dict[str, Any]:
    reader = {"column": column, "parallel": {"test": "lf"}, "parallel_in": "one_file"}
    return {"name": name, "root": root, "reader": reader, "entries": entries}


@pytest.fixture(scope="module")
def columns(home: Path) -> Path:
    """Two files of one name in two folders, each with two columns that translate each other and nothing else."""
    for folder in ("eng-x", "eng-y"):
        (home / "columns" / folder).mkdir(parents=True)
        text = "".join(f"source {folder} {n}\ttranslation {folder} {n}\n" for n in range(12))
        (home / "columns" / folder / "dev.tsv").write_text(text, encoding="utf-8")
    return home


def test_files_of_one_name_in_two_folders_do_not_translate_each_other(
    columns: Path, mini_files: MiniStudy, tmp_path: Path
) -> None:
    path = study_file(columns, mini_files, set_of("lf"), "i.yaml")
    entries = ((CODES[0], "eng-x/dev.tsv"), (CODES[1], "eng-y/dev.tsv"))
    resolved = with_datasets(path, in_columns("lf", "columns", 1, *entries))
    with pytest.raises(ConfigError, match="no other entry of it translates 'lf-0'\n.*translates 'lf-1'"):
        run_study(resolved, tmp_path / "run", workers=0)


def test_columns_of_one_file_are_paired_over_datasets_of_one_root_only(
    columns: Path, mini_files: MiniStudy, tmp_path: Path
) -> None:
    files = ("eng-x/dev.tsv", "eng-y/dev.tsv")
    sources = in_columns("sources", "columns", 0, *((CODES[0], file) for file in files))
    targets = in_columns("targets", "./columns", 1, *zip(CODES[1:], files, strict=True))
    path = study_file(columns, mini_files, set_of("sources", "targets"), "j.yaml")
    resolved = with_datasets(path, sources, targets)
    pairs = pairs_of(resolved, resolved.study.alignment.compared[0])
    assert [pair.name for pair in pairs] == ["sources-0+targets-0", "sources-1+targets-1"]
    one, other = (
        in_columns(f"of-{folder}", f"columns/{folder}", n, (CODES[n], "dev.tsv"))
        for n, folder in enumerate(("eng-x", "eng-y"))
    )
    path = study_file(columns, mini_files, set_of("of-eng-x", "of-eng-y"), "j.yaml")
    with pytest.raises(ConfigError, match=r"two collections .* named 'lf:dev.tsv', .*'of-eng-x-0'.* another name"):
        run_study(with_datasets(path, one, other), tmp_path / "run", workers=0)


def test_a_language_is_never_paired_with_itself(home: Path, mini_files: MiniStudy) -> None:
    more = {"name": "more", "root": "parallel", "reader": {"parallel": {"test": "mini"}}}
    more["entries"] = [(CODES[0], f"{CODES[0]}.txt")]
    path = study_file(home, mini_files, set_of("par", "more"), "k.yaml")
    resolved = with_datasets(path, more)
    pairs = pairs_of(resolved, resolved.study.alignment.compared[0])
    assert len(pairs) == 5 and all(len(set(pair.languages)) == 2 for pair in pairs)
    assert sum("more-0" in pair.name for pair in pairs) == 2


def test_an_entry_in_no_pair_is_named(home: Path, mini_files: MiniStudy, tmp_path: Path) -> None:
    twice = {"name": "twice", "root": "parallel", "reader": {"parallel": {"test": "other"}}}
    twice["entries"] = [(CODES[0], f"{CODES[0]}.txt")] * 2
    path = study_file(home, mini_files, set_of("par", "twice"), "l.yaml")
    with pytest.raises(ConfigError, match=r"entry 'twice-0' \(qaa\) of set 's' would be in no pair.*\n.*'twice-1'"):
        run_study(with_datasets(path, twice), tmp_path / "run", workers=0)


def test_a_study_of_one_language_is_refused_from_its_file(home: Path, mini_files: MiniStudy, tmp_path: Path) -> None:
    chosen = [{"dataset": name, "languages": [CODES[0]]} for name in ("par", "loose")]
    path = study_file(home, mini_files, set_of(data=chosen, kind="unmatched"), "m.yaml")
    with pytest.raises(ConfigError, match=f"set 's' has texts of one language only, {CODES[0]}; a comparison needs"):
        run_study(load_study(path), tmp_path / "run", workers=0)
    assert f"texts of one language only, {CODES[0]}" in foreseen(load_study(path))[0][0]
    check = CliRunner().invoke(app, ["check", str(path)])
    assert check.exit_code == 2 and "refused: alignment: set 's' has texts of one language only" in check.output


def test_sides_with_different_items_are_refused_before_any_unit(
    home: Path, mini_files: MiniStudy, tmp_path: Path
) -> None:
    texts = {}
    for name, code, first in (("left", CODES[0], 0), ("right", CODES[1], 1)):
        ids = "".join(f"n{number}\n" for number in range(first, first + N))
        (home / "parallel" / f"{name}.ids").write_text(ids, encoding="utf-8")
        reader = {"parallel": {"test": "ids"}, "ids": {"test": f"{name}.ids"}}
        texts[name] = {"name": name, "root": "parallel", "reader": reader, "entries": [(code, f"{code}.txt")]}
    path = study_file(home, mini_files, set_of(*texts), "n.yaml")
    resolved = with_datasets(path, *texts.values())
    with pytest.raises(DataError, match=r"different items: 1 of .*qaa\.txt .*qab\.txt, .* 'parallel:ids:n0'"):
        run_study(resolved, tmp_path / "run", workers=0)
    # No folder remembers the files that are to be mended.
    assert not (tmp_path / "run").exists()
    check = CliRunner().invoke(app, ["check", str(path)])
    assert check.exit_code == 2 and "refused: the sides have different items: 1 of" in check.output


def test_parallel_text_of_the_hub_is_refused_for_what_it_is(home: Path, mini_files: MiniStudy, tmp_path: Path) -> None:
    reader = {"kind": "hub", "hub_id": "owner/name", "layout": "text", "parallel": {"test": "h"}}
    hub = {"name": "hub", "root": ".", "reader": reader, "entries": [(code, "test") for code in CODES]}
    path = study_file(home, mini_files, set_of("hub"), "o.yaml")
    with pytest.raises(
        ConfigError, match="'hub-0' is declared parallel .*, but is text from a hub reader, of which only"
    ):
        run_study(with_datasets(path, hub), tmp_path / "run", workers=0)


def two_compared() -> dict[str, Any]:
    """Return a section that compares the first two languages under nudges."""
    return {"compared": [{"name": "par", "data": [{"dataset": "par", "languages": list(CODES[:2])}]}]}


def test_nudges_that_meet_no_pair_are_refused(home: Path, mini_files: MiniStudy, tmp_path: Path) -> None:
    cells = [{"steps": 2, "languages": [CODES[2]]}]
    path = study_file(home, mini_files, two_compared(), "p.yaml", cells=cells)
    said = rf"no nudged language is in a compared pair \(nudged: {CODES[2]}; compared: {CODES[0]}, {CODES[1]}\)"
    with pytest.raises(ConfigError, match=said):
        run_study(load_study(path), tmp_path / "run", workers=0)
    assert foreseen(load_study(path))[0][0].startswith("alignment.states has nudge, but")
    section = two_compared()
    section["compared"][0]["under_nudge"] = "all"
    own = load_study(study_file(home, mini_files, section, "p.yaml", cells=cells))
    assert {unit.key["transfer"] for unit in wanted(own, "cpu", {}).units if unit.key["setting"] == "nudge"} == {
        CODES[2]
    }


def test_nudges_that_are_left_out_are_counted_and_named(home: Path, mini_files: MiniStudy) -> None:
    resolved = load_study(study_file(home, mini_files, two_compared(), "q.yaml"))
    (row,) = [row for row in make_plan(resolved, None, seconds=0.3).rows if row.kind.startswith("nudges left out")]
    # Its nudge, and its zero steps.
    assert (row.kind, row.units) == (f"nudges left out, in no compared pair: {CODES[2]}", 2)
    assert foreseen(resolved) == ([], [f"2 nudges left out, in no compared pair: {CODES[2]}"])


@pytest.fixture
def given(home: Path, mini_files: MiniStudy, tmp_path: Path) -> ResolvedStudy:
    """A study with language adapters that a test may change."""
    shutil.copytree(home / "adapters", tmp_path / "adapters")
    section = {"compared": [MATCHED], "states": ["language_adapters"], "adapters": str(tmp_path / "adapters")}
    return load_study(study_file(home, mini_files, section, "r.yaml"))


@pytest.mark.parametrize(
    ("name", "fits"),
    [("mini-bert", True), ("elsewhere/mini-bert", True), ("/their/own/model", True), ("x/other-bert", False)],
)
def test_adapters_of_another_base_are_refused_by_the_name_in_them(
    given: ResolvedStudy, tmp_path: Path, name: str, fits: bool
) -> None:
    config = tmp_path / "adapters" / CODES[1] / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"model_name": name}), encoding="utf-8")
    if fits:
        assert list(adapter_folders(given)) == list(CODES)
        return
    with pytest.raises(
        ConfigError, match=rf"{CODES[1]} was trained on the base model '{name}' .* study's is 'mini-bert'"
    ):
        run_study(given, tmp_path / "run", workers=0)
    with pytest.raises(ConfigError, match=name):
        make_plan(given, None, seconds=0.3)


def test_the_record_of_a_training_says_for_which_base_an_adapter_is(given: ResolvedStudy, tmp_path: Path) -> None:
    for code, base in ((CODES[0], "mini-bert"), (CODES[2], "mini-bert-2")):
        (tmp_path / "adapters" / f"{code}.json").write_text(json.dumps({"base": base, "seed": 1}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        adapter_folders(given)
    (problem,) = caught.value.problems
    assert f"was trained on the base model 'mini-bert-2' ({CODES[2]}.json)" in problem
    assert foreseen(given)[0] == [problem]


def test_a_plan_refuses_what_the_run_refuses(home: Path, mini_files: MiniStudy) -> None:
    long = load_study(study_file(home, mini_files, {"compared": [MATCHED], "max_length": 4000}, "s.yaml"))
    with pytest.raises(ConfigError, match="alignment.max_length is 4000, but the base model 'mini-bert' has positions"):
        make_plan(long, None, seconds=0.3)
    assert foreseen(long)[0][0].startswith("alignment.max_length is 4000")
    section = {"compared": [MATCHED], "states": ["language_adapters"], "adapters": "nowhere"}
    absent = load_study(study_file(home, mini_files, section, "s.yaml"))
    with pytest.raises(ConfigError, match="nowhere has no folder for qaa"):
        make_plan(absent, None, seconds=0.3)
