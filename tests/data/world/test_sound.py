"""Sound change against hand-worked reflexes, and its catalogue."""

import numpy as np
import pytest

from xltransfer.data.world import sound
from xltransfer.data.world.phonology import PHONEMES, Shape, coin, phonotactics, read_phonemes, spell_phonemes
from xltransfer.data.world.sound import CATALOGUE, SoundChange

SHAPES = [Shape((0.2, 0.5, 0.3), onset=0.7)]


def reflexes(words: list[str], *changes: SoundChange) -> list[str]:
    """Return words after changes, in the common transcription."""
    return [spell_phonemes(form) for form in sound.apply(changes, read_phonemes(words))]


def test_hand_worked_reflexes_of_ordered_changes() -> None:
    # Voicing between vowels feeds the loss of stops' closure; the other way round it does not.
    voicing, spirants = SoundChange("pb td", "V_V"), SoundChange("bv dz")
    assert reflexes(["apa", "tapat", "pab"], voicing, spirants) == ["ava", "tavat", "pav"]
    assert reflexes(["apa", "tapat", "pab"], spirants, voicing) == ["aba", "tabat", "pav"]


@pytest.mark.parametrize(
    ("context", "expected"),
    [("", "gegig"), ("V_V", "kegik"), ("_front", "gegik"), ("#_", "gekik"), ("_#", "kekig")],
)
def test_contexts(context: str, expected: str) -> None:
    assert reflexes(["kekik"], SoundChange("kg", context)) == [expected]


def test_pairs_of_one_change_are_simultaneous() -> None:
    assert reflexes(["palo"], SoundChange("ao ou")) == ["polu"]


def test_every_change_keeps_length_and_names_phonemes() -> None:
    forms = coin(np.random.default_rng(0), phonotactics(3, "Talic"), SHAPES * 200)
    for change in CATALOGUE:
        assert change.context in {"", "V_V", "_front", "#_", "_#"}
        assert all(len(pair) == 2 and set(pair) <= set(PHONEMES) for pair in change.pairs.split())
        after = sound.apply([change], forms)
        assert ((after == -1) == (forms == -1)).all()
        assert (after != forms).any(), f"{change.name} never applies"
    assert len({change.name for change in CATALOGUE}) == len(CATALOGUE)


def test_coined_forms_are_distinct_and_left_justified() -> None:
    forms = coin(np.random.default_rng(1), phonotactics(3, ""), SHAPES * 3000)
    assert len(np.unique(forms, axis=0)) == 3000
    padded = forms == -1
    assert (padded[:, :-1] <= padded[:, 1:]).all()
    assert not padded[:, 0].any()


def test_higher_chance_only_adds_changes_behind() -> None:
    few, more = sound.adopted(7, "qaa", 0.1), sound.adopted(7, "qaa", 0.4)
    assert 0 < len(few) < len(more)
    assert more[: len(few)] == few
    assert sound.adopted(7, "qaa", 0.0) == ()
    assert set(sound.adopted(7, "qaa", 1.0)) == set(CATALOGUE)
