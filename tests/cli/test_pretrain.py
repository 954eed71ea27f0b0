"""``xltransfer pretrain`` end to end on a tiny text, and its errors."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from xltransfer.cli.pretrain import pretrain
from xltransfer.data.text import split_lines
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.engine import Backbone
from xltransfer.errors import ConfigError, DataError

app = typer.Typer()
app.command()(pretrain)
RUNNER = CliRunner()
QUICK = ["--layers", "1", "--hidden", "16", "--steps", "3", "--batch", "4", "--block", "16", "--vocabulary", "90"]


@pytest.fixture
def text(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for code, letters in (("aaa", "abdel"), ("bbb", "фгикт"), ("ccc", "mnopu")):
        words = ["".join(rng.choice(list(letters), 4)) for _ in range(400)]
        lines = [" ".join(words[at : at + 5]) for at in range(0, 400, 5)]
        (folder / f"{code}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def invoke(text, out, *more, languages="aaa, bbb"):
    return RUNNER.invoke(app, ["--text", str(text), "--languages", languages, "--out", str(out), *QUICK, *more])


def test_makes_a_base_model_and_prints_its_place_last(text, tmp_path):
    out = tmp_path / "models" / "tiny"
    result = invoke(text, out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(out)
    assert sorted(path.name for path in out.iterdir()) == [
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "training.json")
    ]
    record = json.loads((out / "training.json").read_text())
    assert record["seen"] == ["aaa", "bbb"]
    assert (record["steps"], record["tokens"]) == (3, 3 * 4 * 16)
    assert len(record["masked_lm_losses"]) == len(record["pair_losses"]) == 3
    backbone = Backbone.load(out)
    assert (backbone.depth, backbone.hidden, backbone.masked_lm is not None) == (1, 16, True)
    # The unseen language is in the tokenizer, its held-out lines are not in what the tokenizer learnt from.
    tokenizer = load_tokenizer(str(out))
    lines = split_lines((text / "ccc.txt").read_text().splitlines(), "train", 0.1)
    assert tokenizer.unk_token_id not in tokenizer(" ".join(lines))["input_ids"]
    assert [path.name for path in out.parent.iterdir()] == ["tiny"]


def test_the_tokenizer_learns_from_the_languages_named(text, tmp_path):
    assert invoke(text, tmp_path / "m", "--tokenizer-languages", "aaa,bbb").exit_code == 0
    tokenizer = load_tokenizer(str(tmp_path / "m"))
    assert set(tokenizer("mnopu")["input_ids"][1:-1]) == {tokenizer.unk_token_id}


def test_unknown_languages_are_all_named_with_the_near_match(text, tmp_path):
    result = invoke(text, tmp_path / "m", "--tokenizer-languages", "zzz", languages="aaa,bbbb")
    assert isinstance(result.exception, ConfigError)
    assert "languages: no file bbbb.txt in" in str(result.exception)
    assert "did you mean 'bbb'?" in str(result.exception)
    assert "tokenizer languages: no file zzz.txt" in str(result.exception)
    assert not (tmp_path / "m").exists()


def test_languages_named_twice_or_not_at_all_are_refused(text, tmp_path):
    twice = invoke(text, tmp_path / "m", languages="aaa,aaa")
    assert "languages names aaa twice" in str(twice.exception)
    none = invoke(text, tmp_path / "m", languages=" , ")
    assert "languages is empty; name at least one of aaa, bbb, ccc" in str(none.exception)


def test_a_folder_without_texts_and_an_empty_text_are_refused(text, tmp_path):
    (tmp_path / "none").mkdir()
    assert "holds no CODE.txt" in str(invoke(tmp_path / "none", tmp_path / "m").exception)
    (text / "aaa.txt").write_text("\n \n", encoding="utf-8")
    result = invoke(text, tmp_path / "m")
    assert isinstance(result.exception, DataError)
    assert "holds no text" in str(result.exception)


def test_a_text_that_is_all_held_out_is_refused(text, tmp_path):
    (text / "aaa.txt").write_text("abde\n", encoding="utf-8")
    result = invoke(text, tmp_path / "m", "--held-out", "0.999999")
    assert "all 1 lines are held out at held_out=0.999999" in str(result.exception)


def test_hidden_size_must_fit_the_heads(text, tmp_path):
    assert "hidden=16 is not divisible by heads=3" in str(invoke(text, tmp_path / "m", "--heads", "3").exception)


def test_a_folder_in_use_is_left_alone(text, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "notes").write_text("mine")
    assert "exists and is not empty; give a new folder" in str(invoke(text, tmp_path / "m").exception)
    assert (tmp_path / "m" / "notes").read_text() == "mine"


def test_a_failed_training_leaves_nothing(text, tmp_path):
    (text / "bbb.txt").write_text("фгик\nткиг\nфггк\n", encoding="utf-8")
    result = invoke(text, tmp_path / "models" / "m", "--held-out", "0.0")
    assert isinstance(result.exception, DataError)
    assert list((tmp_path / "models").iterdir()) == []


def test_help_states_units_and_defaults():
    result = RUNNER.invoke(app, ["--help"], env={"COLUMNS": "160", "NO_COLOR": "1"})
    assert result.exit_code == 0
    for words in ("Optimizer steps", "default: 1500", "Subword positions a row", "Peak rate of AdamW"):
        assert words in result.output
