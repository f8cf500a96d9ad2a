"""The frames of several workspaces as one, with the column ``workspace`` first."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from tokenkit import frames


def by_workspace(parts: Mapping[str, pd.DataFrame], *, empty: pa.Schema | None = None) -> pd.DataFrame:
    """Return frames concatenated, with their workspace as the first column.

    Args:
        parts: A frame for each workspace.
        empty: The frame to return if there are no parts.
    """
    together = frames.concat(list(parts.values()) or [frames.frame([], empty or pa.schema([]))])
    return with_workspace(together, {host: len(part) for host, part in parts.items()})


def with_workspace(together: pd.DataFrame, rows: Mapping[str, int]) -> pd.DataFrame:
    """Return a frame of rows of several workspaces, with their workspace as the first column.

    Args:
        together: The rows, grouped by workspace.
        rows: The number of rows of each workspace.
    """
    hosts = pd.Series(list(rows), dtype=frames.TEXT)
    together.insert(0, "workspace", hosts.repeat(list(rows.values())).array)
    return together
