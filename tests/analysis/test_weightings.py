"""How targets count in an aggregate, by hand."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.weightings import families, target_weights

LANGUAGES = pd.DataFrame({"code": ["fin", "est", "wol", "eus", "kor"], "family": ["ura", "ura", "nig", None, ""]})


def test_families_are_numbered_and_isolates_stand_alone():
    assert families(["fin", "wol", "est", "eus", "kor", "fin"], LANGUAGES).tolist() == [0, 1, 0, 2, 3, 0]


def test_unknown_language():
    with pytest.raises(ValueError, match="languages has no row for the target 'wpl'; add its code and family"):
        families(["fin", "wpl"], LANGUAGES)
    with pytest.raises(ValueError, match="languages lacks the columns family"):
        families(["fin"], LANGUAGES[["code"]])


def test_weights_by_hand():
    used = np.array([True, True, False, True])
    words, family = np.array([10.0, 30.0, 1000.0, 60.0]), np.array([0, 0, 0, 1])
    assert target_weights("macro", used, words, family) == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert target_weights("family", used, words, family) == pytest.approx([1 / 4, 1 / 4, 0, 1 / 2])
    assert target_weights("words", used, words, family) == pytest.approx([0.1, 0.3, 0, 0.6])


def test_nothing_to_weight_is_undefined():
    nothing = np.zeros(2, dtype=bool)
    for weighting in ("macro", "family", "words"):
        assert np.isnan(target_weights(weighting, nothing, np.ones(2), np.zeros(2, dtype=int))).all()
    assert np.isnan(target_weights("words", ~nothing, np.array([np.nan, 1.0]), np.zeros(2, dtype=int))).all()
