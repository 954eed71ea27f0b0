"""From a folder of texts to the folder of a small base model: tokenizer, pretraining, files.

``xltransfer pretrain`` and the demo call this. The tokenizer learns from every language, the model only from those that
it is to have seen, so that an unseen language has word pieces but no knowledge, as real unseen languages often have.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xltransfer.data.text import read_text_lines, split_lines
from xltransfer.data.tokenizer import load_tokenizer, special_ids, untruncated
from xltransfer.data.wordpiece import save_wordpiece, train_wordpiece
from xltransfer.engine.batches import Ragged
from xltransfer.engine.masking import Vocabulary
from xltransfer.engine.pretrain import POSITIONS, Ends, Pretrained, PretrainSettings, pretrain, save
from xltransfer.errors import ConfigError, DataError, near_match


@dataclass(frozen=True)
class BaseRecipe:
    """Everything that decides a small base model.

    Attributes
    ----------
    text
        Folder with one ``CODE.txt`` a language, a sentence a line.
    seen
        Languages that the model is trained on.
    settings
        Size and training.
    vocabulary
        Largest number of word pieces.
    seed
        Root of the random streams.
    tokenizer_languages
        Languages that the tokenizer is trained on; None: every file of the folder.
    held_out
        Share of the lines that are kept out, by a hash of the line as the text reader does it: what a study scores as
        held-out text, the model has not read.
    threads
        CPU threads; other numbers give other bytes.
    """

    text: Path
    seen: tuple[str, ...]
    settings: PretrainSettings
    vocabulary: int = 4000
    seed: int = 1
    tokenizer_languages: tuple[str, ...] | None = None
    held_out: float = 0.1
    threads: int = 1


def make_base(recipe: BaseRecipe, out: Path, on_step: Callable[[int, float], None] | None = None) -> Pretrained:
    """Train tokenizer and model and write them, with ``training.json``, to ``out``, which appears whole or not at all.

    Raises
    ------
    ConfigError
        ``out`` has something in it, a language has no file (with the near match), or a vocabulary is too small.
    DataError
        A text is empty or shorter than one sentence pair.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"out={str(out)!r} exists and is not empty; give a new folder, or delete this one")
    files = text_files(recipe.text)
    known = recipe.tokenizer_languages if recipe.tokenizer_languages is not None else tuple(files)
    _refuse_unknown(recipe.text, files, {"languages": recipe.seen, "tokenizer languages": known})
    texts = {code: read_text_lines(files[code]) for code in dict.fromkeys((*known, *recipe.seen))}
    kept = {code: _kept(code, lines, recipe.held_out) for code, lines in texts.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        save_wordpiece(
            train_wordpiece((line for code in known for line in kept[code]), recipe.vocabulary), draft, POSITIONS
        )
        trained = _train(recipe, load_tokenizer(str(draft)), kept, on_step)
        save(trained, draft)
        (draft / "training.json").write_text(json.dumps(_record(recipe, known, trained), indent=1) + "\n", "utf-8")
        draft.chmod(0o755)  # mkdtemp's folder is private
        os.replace(draft, out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return trained


def text_files(folder: Path) -> dict[str, Path]:
    """Return the ``CODE.txt`` files of a folder by code, sorted; raises `ConfigError` where there are none."""
    files = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if not files:
        raise ConfigError(f"text={str(folder)!r} holds no CODE.txt; expected a folder with one text file a language")
    return files


def _refuse_unknown(folder: Path, files: Mapping[str, Path], asked: Mapping[str, Sequence[str]]) -> None:
    problems = [
        f"{what}: no file {code}.txt in {str(folder)!r}{near_match(code, files)}"
        for what, codes in asked.items()
        for code in codes
        if code not in files
    ]
    problems += [f"{what} is empty; name at least one of {', '.join(files)}" for what, c in asked.items() if not c]
    problems += [f"{what} names {code} twice" for what, c in asked.items() for code in set(c) if c.count(code) > 1]
    if problems:
        raise ConfigError(sorted(problems))


def _kept(code: str, lines: list[str], held_out: float) -> list[str]:
    kept = split_lines(lines, "train", held_out)
    if not kept:
        raise DataError(f"{code}.txt: all {len(lines)} lines are held out at held_out={held_out}; add text")
    return kept


def _train(
    recipe: BaseRecipe, tokenizer: Any, texts: Mapping[str, list[str]], on_step: Callable[[int, float], None] | None
) -> Pretrained:
    special = special_ids(tokenizer)
    assert special.mask is not None  # train_wordpiece made it
    vocabulary = Vocabulary(len(tokenizer), special.mask, tuple(sorted(tokenizer.all_special_ids)))
    corpora = [_tokenised(texts[code], tokenizer) for code in recipe.seen]
    before = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        ends = Ends(special.start, special.end, special.pad)
        return pretrain(corpora, vocabulary, ends, recipe.settings, recipe.seed, on_step)
    finally:
        torch.set_num_threads(before)


def _tokenised(lines: list[str], tokenizer: Any) -> Ragged:
    encoded = [e.ids for e in untruncated(tokenizer).encode_batch_fast(lines, add_special_tokens=False)]
    lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
    return Ragged.from_lengths(np.concatenate([np.asarray(ids, dtype=np.int32) for ids in encoded]), lengths)


def _record(recipe: BaseRecipe, known: Sequence[str], trained: Pretrained) -> dict[str, Any]:
    last = max(1, len(trained.pair_losses) // 20)
    return {
        "seen": list(recipe.seen),
        "tokenizer_languages": list(known),
        "tokens": trained.tokens,
        "steps": recipe.settings.steps,
        "masked_lm_loss": round(float(np.mean(trained.masked_lm_losses[-last:])), 4),
        "pair_loss": round(float(np.mean(trained.pair_losses[-last:])), 4),
        "seed": recipe.seed,
        "held_out": recipe.held_out,
        "vocabulary": recipe.vocabulary,
        "threads": recipe.threads,
        "settings": asdict(recipe.settings),
        "masked_lm_losses": [round(value, 4) for value in trained.masked_lm_losses],
        "pair_losses": [round(value, 4) for value in trained.pair_losses],
    }
