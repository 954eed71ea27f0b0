"""`xltransfer check`: the audit on the terminal and as CSV, and what it refuses."""

from math import sqrt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from mini_alignment import LOOSE, MATCHED, N, study_file, write_home

from xltransfer.errors import ConfigError


def variant(mini: Any, folder: Path, **changes: Any) -> Path:
    """Write the miniature study with other keys and the same data, and return its path."""
    content = yaml.safe_load(mini.path.read_text(encoding="utf-8")) | changes
    path = folder / "variant.yaml"
    path.write_text(yaml.safe_dump(content | {"data_root": str(mini.path.parent)}), encoding="utf-8")
    return path


def test_tables_and_csv_of_a_sound_study(mini_files: Any, xltransfer: Any, tmp_path: Path) -> None:
    result = xltransfer("check", mini_files.path, "--csv", tmp_path)
    assert result.exit_code == 0, result.output
    for part in ("pos: targets", "training sets", "mlm: targets", "transfer corpora: blocks", "overlap k=2"):
        assert part in result.output
    assert "0 refusals" in result.output
    targets = pd.read_csv(tmp_path / "targets.csv")
    assert "answer_start" in pd.read_csv(tmp_path / "misplaced.csv")
    for name in ("training", "corpora", "replicates", "overlap"):
        assert str(tmp_path / f"{name}.csv") in result.output
        assert len(pd.read_csv(tmp_path / f"{name}.csv"))
    # The words of the file, counted without any reader.
    ref = mini_files.resolved.targets["pos"][0]
    lines = (ref.root / ref.files["test"]).read_text(encoding="utf-8").splitlines()
    words = sum(line[:1].isdigit() for line in lines)
    row = targets[(targets["task"] == "pos") & (targets["entry"] == ref.name)].iloc[0]
    assert row["n_words"] == words
    assert row["detectable"] == pytest.approx(2.8 * 100 * sqrt(2 * 0.03 / words) / 0.6)
    assert targets.loc[targets["task"].isin(["ner", "mlm"]), "detectable"].isna().all()
    assert targets.loc[targets["task"].isin(["pos", "dep"]), "detectable"].notna().all()


def test_marks_and_warnings(mini_files: Any, xltransfer: Any) -> None:
    output = xltransfer("check", mini_files.path).output
    # 34 entities a target.
    row = next(line for line in output.splitlines() if "ner-qaa" in line)
    assert "small, not aggregated" in row
    assert "–" in row  # no smallest detectable effect for entities
    assert "warning: task 'ner', target 'ner-qaa': small" in output


def test_overlap_is_shown(mini_files: Any, xltransfer: Any, tmp_path: Path) -> None:
    ref = mini_files.resolved.targets["pos"][0]
    treebank = (ref.root / ref.files["test"]).read_text(encoding="utf-8")
    sentences = [line.removeprefix("# text = ") for line in treebank.splitlines() if line.startswith("# text = ")]
    ours = mini_files.resolved.corpora[0]
    text = (ours.root / ours.files["train"]).read_text(encoding="utf-8")
    leaky = mini_files.path.parent / "leaky.txt"
    leaky.write_text(text + "".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    dataset = {"name": "leaky", "title": "t", "source": "s", "licence": "l", "citation": "c", "root": "."}
    dataset |= {"reader": {"kind": "text", "held_out": 0}}
    dataset |= {"entries": [{"name": "leaky-text", "language": ref.language, "files": {"train": "leaky.txt"}}]}
    content = yaml.safe_load(mini_files.path.read_text(encoding="utf-8"))
    path = variant(
        mini_files,
        tmp_path,
        datasets=[*content["datasets"], dataset],
        transfer={"corpora": [{"dataset": "leaky"}], "tokens": "equal", "replicates": 2},
        controls={},
    )
    result = xltransfer("check", path)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if "transfer_test" in line and "leaky-text" in line]
    assert any(ref.name in row and "pos" in row for row in rows), result.output
    assert f"transfer corpus 'leaky-text' holds {len(sentences)} of {len(sentences)} test sentences" in result.output


def test_a_treebank_without_text_is_refused(mini_files: Any, xltransfer: Any, tmp_path: Path) -> None:
    ref = mini_files.resolved.targets["pos"][0]
    lines = (ref.root / ref.files["test"]).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    blank = ["\t".join([row[0], "_", *row[2:]]) if len(row) == 10 else row[0] for row in rows]
    (mini_files.path.parent / "blank.conllu").write_text("\n".join(blank) + "\n", encoding="utf-8")
    dataset = {"name": "blank", "title": "t", "source": "s", "licence": "l", "citation": "c", "root": "."}
    dataset |= {"reader": {"kind": "conllu"}}
    dataset |= {"entries": [{"name": "Blank-Bank", "language": ref.language, "files": {"test": "blank.conllu"}}]}
    content = yaml.safe_load(mini_files.path.read_text(encoding="utf-8"))
    content["tasks"][0]["targets"].append({"dataset": "blank"})
    path = variant(mini_files, tmp_path, datasets=[*content["datasets"], dataset], tasks=content["tasks"])
    result = xltransfer("check", path)
    assert result.exit_code == 2
    assert "refused: task 'pos', target 'Blank-Bank': 100 % of its forms are blank" in result.output
    assert "1 refusals" in result.output


def test_more_replicates_than_blocks_is_refused(mini_files: Any, xltransfer: Any, tmp_path: Path) -> None:
    transfer = {"corpora": [{"dataset": "world-text"}], "tokens": 64, "replicates": 3}
    result = xltransfer("check", variant(mini_files, tmp_path, transfer=transfer))
    assert result.exit_code == 2
    assert "3 replicates but only 2 distinct blocks of 32 tokens" in result.output


def test_an_unknown_study_has_a_near_match(xltransfer: Any) -> None:
    with pytest.raises(ConfigError, match="no study file 'real_smal' and no shipped study of that name; did you mean"):
        raise xltransfer("check", "real_smal").exception


def test_compared_texts_are_read_and_those_of_unequal_length_refused(
    mini_files: Any, xltransfer: Any, tmp_path: Path
) -> None:
    home = write_home(tmp_path, mini_files)
    study = study_file(home, mini_files, {"compared": [MATCHED, LOOSE], "states": ["nudge"]})
    sound = xltransfer("check", study)
    assert sound.exit_code == 0, sound.output
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in sound.output.splitlines()]
    rows = {first: rest for first, *rest in cells if first in ("par", "loose")}
    assert rows == {"par": ["matched", "3", "3", str(N), str(N)], "loose": ["unmatched", "3", "3", "10", "10"]}
    short = sorted((home / "parallel").iterdir())[-1]
    short.write_text("\n".join(short.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    result = xltransfer("check", study)
    assert result.exit_code == 2
    refused = next(line for line in result.output.splitlines() if line.startswith("refused:"))
    assert f"has {N}" in refused and f"{short.name} has {N - 1}" in refused
