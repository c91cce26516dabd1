"""The one base of everything that is written into a record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value that refuses unknown fields, so that a record is never read wrongly in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")
