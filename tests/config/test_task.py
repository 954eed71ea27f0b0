"""Tasks of questions: how far windows of a paragraph may overlap, and how long an answer may be."""

from typing import Any

import pytest
from pydantic import ValidationError

from xltransfer.config.task import TaskSpec

CHOSEN: dict[str, Any] = {"name": "qa", "train": [{"dataset": "d"}], "targets": [{"dataset": "d"}]}


def test_a_stride_that_leaves_no_room_for_questions_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"stride is 128 and max_length 160; .* set stride to .* \(106\) at most"):
        TaskSpec.model_validate(CHOSEN | {"max_length": 160})
    assert TaskSpec.model_validate(CHOSEN | {"max_length": 160, "stride": 106}).stride == 106
    assert TaskSpec.model_validate(CHOSEN | {"max_length": 192}).stride == 128


def test_an_answer_is_no_longer_than_any_row() -> None:
    with pytest.raises(ValidationError, match="max_answer"):
        TaskSpec.model_validate(CHOSEN | {"max_answer": 513})
    assert TaskSpec.model_validate(CHOSEN | {"max_answer": 512}).max_answer == 512
