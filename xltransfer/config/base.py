"""The frozen pydantic model that every configuration model is made from."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A configuration record: immutable, unknown keys are errors, field docstrings become descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
