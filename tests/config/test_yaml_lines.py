"""YAML as text with places: nothing is guessed, nothing is lost, nothing stands twice."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from xltransfer.config.base import Frozen
from xltransfer.config.readers import Reader
from xltransfer.config.yaml_lines import by_line, parse_document, read_document
from xltransfer.errors import ConfigError


class Inner(Frozen):
    rate: float
    reader: Reader | None = None


class Outer(Frozen):
    code: str
    inner: tuple[Inner, ...] = ()


def test_scalars_stay_the_text_of_the_file() -> None:
    document = parse_document("a: no\nb: 5e-5\nc: 010\nd: 'null'\ne: null\nf:\ng: ~\n", "f.yaml")
    assert document.data == {"a": "no", "b": "5e-5", "c": "010", "d": "null", "e": None, "f": None, "g": None}


def test_place_is_the_line_of_the_deepest_known_part() -> None:
    document = parse_document("a: 1\nb:\n  - x: 1\n  - x: 2\n    y: 3\n", "f.yaml")
    assert document.place(("b", 1, "y")) == "f.yaml:5"
    assert document.place(("b", 1, "tag", "x")) == "f.yaml:4"
    assert document.place(("b", 1, "absent")) == "f.yaml:4"
    assert document.place(()) == "f.yaml:1"


def test_duplicate_keys_are_refused_with_both_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document("a: 1\nb: 2\na: 3\nb: 4\n", "f.yaml")
    assert caught.value.problems == (
        "f.yaml:3: key 'a' stands here and at line 1; keep one",
        "f.yaml:4: key 'b' stands here and at line 2; keep one",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", r"f\.yaml:2: not YAML: "),
        ("- 1\n", r"f\.yaml:1: expected a mapping"),
        ("", r"f\.yaml:1: expected a mapping"),
        ("? [a, b]\n: 1\n", r"f\.yaml:1: a key must be plain text"),
        ("a: &x [*x]\n", r"f\.yaml:1: an alias \(\*name\) stands inside what it names"),
    ],
)
def test_what_is_not_a_mapping_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_document(text, "f.yaml")


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: no such file"):
        read_document(tmp_path / "absent.yaml")


def test_complaints_carry_line_name_value_and_nearest_key() -> None:
    document = parse_document(
        "code: no\ninner:\n  - rate: fast\n    reader: {kind: text, helt_out: 1}\n  - ratte: 1\n", "f.yaml"
    )
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document.data)
    assert document.complaints(caught.value, Outer) == [
        "f.yaml:3: inner[0].rate: input should be a valid number, unable to parse string as a number, got 'fast'",
        "f.yaml:4: unknown key 'helt_out'; did you mean 'held_out'?",
        "f.yaml:5: the key 'inner[1].rate' is missing",
        "f.yaml:5: unknown key 'ratte'; did you mean 'rate'?",
    ]


def test_problems_are_sorted_by_line_within_files_in_order_of_appearance() -> None:
    assert by_line(["b:10: x", "b:9: y", "a:3: z", "b:9: y"]) == ["b:9: y", "b:10: x", "a:3: z"]
