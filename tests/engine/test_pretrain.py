"""Pretraining: rows are well-formed pairs, both losses train, the result is a complete base model, bytes repeat."""

import hashlib
import math

import numpy as np
import pytest
import torch
from transformers import BertForPreTraining

from xltransfer.engine import Backbone
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.batches import Ragged
from xltransfer.engine.masking import Vocabulary
from xltransfer.engine.pretrain import Ends, Pairs, PretrainSettings, pair_losses, pretrain, save
from xltransfer.engine.pretrain import batches as pair_batches
from xltransfer.errors import ConfigError, DataError

VOCABULARY = Vocabulary(size=60, mask=4, special=(0, 1, 2, 3, 4))
ENDS = Ends(start=2, end=3, pad=0)
SMALL = PretrainSettings(
    layers=2, hidden=32, heads=2, steps=60, batch_size=16, block=24, learning_rate=5e-3, initial=0.05, dropout=0.1
)


def corpus(first: int, lines: int, seed: int) -> Ragged:
    """Lines of 3 to 9 tokens that count upwards from a random start within 20 tokens: easy to predict."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 10, lines)
    rows = [first + (rng.integers(0, 20) + np.arange(length)) % 20 for length in lengths]
    return Ragged.from_lengths(np.concatenate(rows), lengths)


@pytest.fixture(scope="module")
def corpora() -> list[Ragged]:
    return [corpus(5, 200, 1), corpus(30, 400, 2)]


@pytest.fixture(scope="module")
def trained(corpora):
    return pretrain(corpora, VOCABULARY, ENDS, SMALL, seed=7)


def numbered(lines: int, length: int) -> Ragged:
    """Tokens 10, 11, 12 ...: a token says which line it is of."""
    return Ragged.from_lengths(10 + np.arange(lines * length), np.full(lines, length))


def test_rows_are_two_segments_of_which_the_second_follows_or_not():
    lines, length, block = 40, 5, 19
    ids, types, elsewhere = Pairs([numbered(lines, length)], ENDS, block, 1.0).draw(300, np.random.default_rng(0))
    assert ids.shape == types.shape == (300, block)
    for row, kind, apart in zip(ids, types, elsewhere, strict=True):
        assert row[0] == ENDS.start and row[-1] == ENDS.end
        first, second = row[1 : int(np.argmax(kind)) - 1], row[kind == 1][:-1]
        assert row[int(np.argmax(kind)) - 1] == ENDS.end
        # A is one line (half of 16 positions holds no two lines of 5), whole; B starts where a line starts.
        assert (first[0] - 10) % length == 0 and len(first) == length
        assert (second[0] - 10) % length == 0
        assert (np.diff(first) == 1).all() and (np.diff(second) == 1).all()
        assert len(first) + len(second) == block - 3
        if not apart:
            assert second[0] == first[-1] + 1
    assert 0.4 < elsewhere.mean() < 0.6


def test_a_line_longer_than_half_a_row_gives_its_end():
    ids, types, elsewhere = Pairs([numbered(20, 30)], ENDS, 19, 1.0).draw(50, np.random.default_rng(0))
    follows = elsewhere == 0
    assert follows.any()
    for row, kind in zip(ids[follows], types[follows], strict=True):
        border = int(np.argmax(kind)) - 1
        assert border == 9 and row[border + 1] == row[border - 1] + 1
        assert (row[border + 1] - 10) % 30 == 0


def test_segments_stay_within_a_language_and_languages_are_drawn_by_exponent(corpora):
    ids, _, _ = Pairs(corpora, ENDS, 24, 0.5).draw(4000, np.random.default_rng(0))
    second = (ids >= 30).any(axis=1)
    assert not (second & ((ids >= 5) & (ids < 30)).any(axis=1)).any()
    one, two = (math.sqrt(len(part.values)) for part in corpora)
    assert second.mean() == pytest.approx(two / (one + two), abs=0.03)


def test_both_losses_fall_and_pooler_and_pair_head_leave_their_start(trained, corpora):
    assert len(trained.masked_lm_losses) == len(trained.pair_losses) == SMALL.steps
    assert trained.tokens == 60 * 16 * 24
    assert np.mean(trained.masked_lm_losses[-5:]) < np.mean(trained.masked_lm_losses[:5]) - 0.5
    assert trained.masked_lm_losses[0] == pytest.approx(math.log(60), abs=0.4)
    assert trained.pair_losses[0] == pytest.approx(math.log(2), abs=0.4)
    # One step less than one: the weights as they are drawn, moved by a rate that is next to nothing.
    still = PretrainSettings(**{**SMALL.__dict__, "steps": 1, "learning_rate": 1e-12})
    fresh = pretrain(corpora, VOCABULARY, ENDS, still, seed=7).model
    for name in (
        "bert.pooler.dense.weight",
        "cls.seq_relationship.weight",
        "bert.embeddings.token_type_embeddings.weight",
    ):
        moved = (trained.model.get_parameter(name) - fresh.get_parameter(name)).abs().max()
        assert moved > 1e-2, name


def test_losses_are_those_of_transformers_on_the_same_rows(trained, corpora):
    pairs = Pairs(corpora, ENDS, SMALL.block, SMALL.exponent)
    batch = next(pair_batches(pairs, VOCABULARY, SMALL, 1, 2))
    labels = np.full(batch.masked.ids.size, -100)
    labels[batch.masked.positions] = batch.masked.labels
    with torch.no_grad():
        ours = pair_losses(trained.model, batch)
        theirs = trained.model(
            input_ids=torch.from_numpy(batch.masked.ids),
            token_type_ids=torch.from_numpy(batch.types),
            labels=torch.from_numpy(labels.reshape(batch.masked.ids.shape)),
            next_sentence_label=torch.from_numpy(batch.elsewhere),
        ).loss
    assert float(sum(ours)) == pytest.approx(float(theirs), abs=1e-5)


def test_the_folder_is_a_complete_base_model_in_float32(trained, tmp_path):
    save(trained, tmp_path)
    backbone = Backbone.load(tmp_path)
    ids = torch.tensor([[2, 7, 4, 9, 3, 31, 32, 3]])
    with torch.no_grad():
        out = backbone(ids, head=MASKED_LM)
        theirs = trained.model(ids)
        again = BertForPreTraining.from_pretrained(tmp_path).eval()(ids)
    assert out.logits is not None and out.pooler_output is not None
    assert out.pooler_output.dtype == torch.float32
    torch.testing.assert_close(out.logits, theirs.prediction_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.seq_relationship_logits, theirs.seq_relationship_logits, atol=1e-6, rtol=0)


def test_the_same_seed_gives_the_same_bytes_and_leaves_the_callers_random_state(corpora, tmp_path):
    short = PretrainSettings(**{**SMALL.__dict__, "steps": 4})
    torch.manual_seed(3)
    expected = torch.rand(3)
    digests = []
    for name in ("a", "b"):
        torch.manual_seed(3)
        save(pretrain(corpora, VOCABULARY, ENDS, short, seed=11), tmp_path / name)
        assert torch.equal(torch.rand(3), expected)
        digests.append(hashlib.sha256((tmp_path / name / "model.safetensors").read_bytes()).hexdigest())
    save(pretrain(corpora, VOCABULARY, ENDS, short, seed=12), tmp_path / "c")
    other = hashlib.sha256((tmp_path / "c" / "model.safetensors").read_bytes()).hexdigest()
    assert digests[0] == digests[1] != other


def test_steps_are_told(corpora):
    told: list[int] = []
    short = PretrainSettings(**{**SMALL.__dict__, "steps": 3})
    pretrain(corpora, VOCABULARY, ENDS, short, 1, lambda step, loss: told.append(step))
    assert told == [1, 2, 3]


def test_settings_that_cannot_be_meant_are_refused_together():
    with pytest.raises(ConfigError, match="hidden=100 is not divisible by heads=3; take hidden=99"):
        PretrainSettings(hidden=100, heads=3)
    with pytest.raises(ConfigError, match=r"layers=0; expected at least 1\nblock=4; expected 8 to 512") as caught:
        PretrainSettings(layers=0, block=4, learning_rate=0, dropout=1.0, mask_share=0)
    assert len(caught.value.problems) == 5


def test_a_corpus_too_short_for_a_pair_is_named(corpora):
    with pytest.raises(DataError, match=r"corpus 1 .* holds 10 tokens, too few for a sentence pair of 24"):
        pretrain([corpora[0], numbered(2, 5)], VOCABULARY, ENDS, SMALL, 1)
