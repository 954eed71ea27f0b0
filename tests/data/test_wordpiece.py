"""The WordPiece trainer: the same files for the same texts, and pieces as BERT's rules have them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xltransfer.data.tokenizer import load_tokenizer, special_ids
from xltransfer.data.wordpiece import SPECIAL, save_wordpiece, train_wordpiece
from xltransfer.errors import ConfigError, DataError

TEXTS = [f"Ana ta{end} lima no {word}, нима {word}Ко!" for end in ("ri", "ra", "lo") for word in ("pe", "Pé", "siko")]
MAKE = """
import sys
from pathlib import Path
from xltransfer.data.wordpiece import save_wordpiece, train_wordpiece
lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
save_wordpiece(train_wordpiece(lines, 120), Path(sys.argv[2]))
"""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_texts_give_the_same_files_in_other_processes_and_with_several_threads(tmp_path):
    text = tmp_path / "text"
    # Many words of equal frequency: ties are where an unstable order would show.
    lines = [" ".join(a + b + c for c in "xyz") for a in ("ba", "du", "fi") for b in ("ka", "lo", "mi", "né")]
    text.write_text("\n".join(lines), encoding="utf-8")
    for name, hash_seed, threads in (("a", "0", "true"), ("b", "123", "false")):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "TOKENIZERS_PARALLELISM": threads}
        command = [sys.executable, "-c", MAKE, str(text), str(tmp_path / name)]
        subprocess.run(command, env=environment, check=True, cwd=Path(__file__).parents[2])
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert set(digests(tmp_path / "a")) == {"tokenizer.json", "tokenizer_config.json"}


def test_loads_with_special_tokens_case_and_accents_kept(tmp_path):
    save_wordpiece(train_wordpiece(TEXTS, 200), tmp_path / "new", longest=64)
    tokenizer = load_tokenizer(str(tmp_path / "new"))
    assert tokenizer.convert_ids_to_tokens(range(5)) == list(SPECIAL)
    assert special_ids(tokenizer) == (2, 3, 0, 4, 1)
    assert tokenizer.model_max_length == 64
    ids = tokenizer("Pé pe")["input_ids"]
    assert (ids[0], ids[-1]) == (2, 3)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Pé pe"
    assert tokenizer.unk_token_id not in tokenizer(" ".join(TEXTS))["input_ids"]


def test_frequent_words_become_one_piece_and_continuations_are_marked(tmp_path):
    tokenizer = train_wordpiece(["lima lima lima lima rimalo"], 20)
    assert tokenizer.encode("lima", add_special_tokens=False).tokens == ["lima"]
    pieces = tokenizer.encode("rimalo", add_special_tokens=False).tokens
    assert pieces[0][0] == "r" and all(piece.startswith("##") for piece in pieces[1:])
    assert "".join(piece.removeprefix("##") for piece in pieces) == "rimalo"


def test_a_vocabulary_below_the_alphabet_is_refused():
    with pytest.raises(ConfigError, match=r"vocabulary=8 is too small: .* are \d+ pieces; give at least \d+"):
        train_wordpiece(TEXTS, 8)


def test_empty_texts_are_refused():
    with pytest.raises(DataError, match="texts for the tokenizer are empty"):
        train_wordpiece(["", "  "], 100)
