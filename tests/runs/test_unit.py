"""Units: the id says what is computed, and nothing else."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.runs.unit import Unit

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_id_is_the_hash_of_the_canonical_text() -> None:
    unit = Unit({"b": "ñ", "a": [1, 2.5]}, needs=("f00",))
    text = '{"key":{"a":[1,2.5],"b":"ñ"},"needs":["f00"],"produces":"measurements"}'
    assert unit.id == hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_order_of_the_key_does_not_matter(key: dict[str, Any]) -> None:
    backwards = dict(reversed(list(key.items())))
    assert Unit(key) == Unit(backwards)
    assert len({Unit(key), Unit(backwards)}) == 1
    assert pickle.loads(pickle.dumps(Unit(key))).id == Unit(key).id


def test_stage_and_cost_are_not_part_of_the_identity_but_the_rest_is() -> None:
    plain = Unit({"n": 1})
    assert plain == Unit({"n": 1}, stage=3, cost=12.0)
    others = [Unit({"n": 2}), Unit({"n": 1}, produces="artefact"), Unit({"n": 1}, needs=("a",))]
    assert len({plain, *others}) == 4
    assert plain != plain.id


def test_later_changes_of_the_callers_mapping_do_not_reach_the_unit() -> None:
    key = {"languages": ["wol"]}
    unit = Unit(key)
    key["languages"].append("yor")
    assert unit.key == {"languages": ["wol"]}


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, float("nan")])
def test_a_key_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not plain JSON"):
        Unit({"bad": value})
