"""A listing with all columns that the explorer reads, from whatever kind of file it was saved in."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.review import lifecycle


def completed(tokens: pd.DataFrame, *, now: pd.Timestamp) -> pd.DataFrame:
    """Return a listing with all columns that the explorer reads. Missing columns are derived, or empty.

    Args:
        tokens: A frame with the column ``token_id``: from ``Workspace.tokens`` or ``token_management.list``, or read
            from a CSV, Excel or Parquet file.
        now: The reference time of ages, if the listing does not have them.

    Raises:
        UsageError: There is no column ``token_id``.
    """
    if "token_id" not in tokens.columns:
        raise errors.UsageError("The listing has no column token_id. Use a listing such as ws.tokens().")
    tokens = tokens.reset_index(drop=True)
    absent = frames.frame([], frames.TOKENS).reindex(tokens.index)
    tokens = tokens.assign(**{name: absent[name] for name in absent.columns if name not in tokens.columns})
    for field in frames.TOKENS:
        if field.type == frames.TIME and not isinstance(tokens[field.name].dtype, pd.DatetimeTZDtype):
            try:
                tokens[field.name] = _moments(tokens[field.name])
            except pa.ArrowInvalid as problem:
                message = (
                    f"Column {field.name} has a value that is not an ISO 8601 time: {str(problem).splitlines()[0]}"
                )
            else:
                continue
            raise errors.UsageError(message)
    if "idle_days" not in tokens.columns or "status" not in tokens.columns:
        tokens = lifecycle.with_lifecycle(tokens, now=now)
    elif not isinstance(tokens.get("effective_end", tokens["status"]).dtype, pd.DatetimeTZDtype):
        tokens = tokens.assign(effective_end=lifecycle.effective_end(tokens))
    if "owner" not in tokens.columns:
        tokens = tokens.assign(owner=tokens["created_by_username"], owner_kind="unknown")
    return tokens


def _moments(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return times from strings, epoch milliseconds, or another time unit."""
    # Not pd.to_datetime, which in pandas 2.2 uses nanoseconds, for which the year 9999 is out of range.
    saved = pa.array(column, from_pandas=True)
    if pa.types.is_integer(saved.type) or pa.types.is_floating(saved.type):
        name = str(column.name)
        records = [{name: value} for value in saved.cast(pa.int64()).to_pylist()]
        return frames.frame(records, pa.schema([(name, frames.TIME)]))[name]
    return frames.to_pandas(pa.table({"time": saved.cast(frames.TIME)}))["time"]
