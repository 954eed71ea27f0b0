"""Fixtures of the data tests: a hand-made tokenizer, files written on the spot, entries without a study."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xltransfer.config.readers import ConlluReader, Reader
from xltransfer.config.resolve import EntryRef

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "##s", "dog", "the", "run", "##ning", "big", ".")


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WordPiece tokenizer of 13 pieces (ids in the order of VOCABULARY), lower case only, saved to a folder."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    save: Any = PreTrainedTokenizerFast  # its constructor has no types
    rust = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer(lowercase=False)
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    folder = tmp_path_factory.mktemp("tokenizer")
    save(tokenizer_object=rust, **names).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Any:
    """That tokenizer as the package loads it."""
    from xltransfer.data.tokenizer import load_tokenizer

    return load_tokenizer(str(tokenizer_folder))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a text under a name and return the path."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    return _write


@pytest.fixture
def entry(tmp_path: Path) -> Callable[..., EntryRef]:
    """Make an entry of files below the test's folder."""

    def _entry(files: dict[str, str], reader: Reader | None = None, name: str = "e", **more: Any) -> EntryRef:
        known: dict[str, Any] = {"dataset": "d", "language": "eng", "root": tmp_path} | more
        return EntryRef(name=name, reader=reader or ConlluReader(), files=files, **known)

    return _entry
