"""``xltransfer adapters train``: folders for every transfer corpus of a study."""

import json
from typing import Any

from mini_study import MiniStudy


def test_command_writes_folders_and_names_them(xltransfer: Any, mini_files: MiniStudy, tmp_path: Any) -> None:
    words = ("--steps", 2, "--block", 16, "--batch", 2, "--learning-rate", 0.002)
    result = xltransfer("adapters", "train", mini_files.path, "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    folders = [folder for folder in sorted((tmp_path / "out").iterdir()) if folder.is_dir()]
    assert folders and all(str(folder) in result.stdout for folder in folders)
    record = json.loads((tmp_path / "out" / f"{folders[0].name}.json").read_text())
    assert record["steps"] == 2 and record["settings.learning_rate"] == 0.002
    assert record["loss_in_nats"]["first"] > 0
