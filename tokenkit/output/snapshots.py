"""Snapshots: listings saved as Parquet files, for later review and comparison.

A file has one row per token with the columns of the listing, followed by ``host`` and ``taken_at``. So a folder of
files can be read as one table, for example in DuckDB: ``SELECT taken_at, count(*) FROM 'snapshots/*.parquet' GROUP BY
1``. The file's metadata contains both values as well, because a listing can be empty. Files contain no types specific
to pandas: only text, 64-bit integers, lists of text, and UTC timestamps in milliseconds.

Files are written atomically, and only their owner can read them. Credentials in text are redacted, as in the journal.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.core import arguments
from tokenkit.core.home import make_folder, replacing
from tokenkit.core.spelling import spelled
from tokenkit.frames import TEXT
from tokenkit.output import files
from tokenkit.review.durations import duration_or_date
from tokenkit.review.lifecycle import LIFECYCLE
from tokenkit.review.texts import written

HOST, TAKEN_AT, WORKSPACE, WORKSPACE_ID = "host", "taken_at", "workspace", "workspace_id"
"""The keys of a listing's origin in ``DataFrame.attrs`` and in a file's metadata."""

SNAPSHOTS = pa.schema(
    [
        ("path", pa.string()),
        (WORKSPACE, pa.string()),
        (HOST, pa.string()),
        (WORKSPACE_ID, pa.string()),
        (TAKEN_AT, frames.TIME),
        ("tokens", pa.int64()),
    ]
)
SUFFIX = ".parquet"
_PREFIX = b"tokenkit."  # of the metadata keys
# ``with_lifecycle`` gives bool, and Arrow does not distinguish it from boolean.
_NUMPY_DTYPES = {field.name: bool for field in LIFECYCLE if pa.types.is_boolean(field.type)}


def write_snapshot(
    tokens: pd.DataFrame, file: Path, *, host: str, workspace_id: str, workspace: str, taken_at: pd.Timestamp
) -> Path:
    """Write a listing to a file, replacing an existing one, and return the file.

    Args:
        tokens: A listing, with or without derived columns. Unknown fields are included, as JSON if they have no plain
            type.
        file: The path. Missing folders are created.
        host: The workspace's address.
        workspace_id: The workspace's id, as a host can serve several workspaces.
        workspace: The workspace's name.
        taken_at: The time of the listing.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    origin = {
        HOST: host,
        WORKSPACE_ID: workspace_id,
        WORKSPACE: workspace,
        TAKEN_AT: taken_at.tz_convert("UTC").isoformat(),
    }
    table = _table(tokens)
    for name, value in ((HOST, pa.scalar(host)), (TAKEN_AT, pa.scalar(_in_milliseconds(taken_at), frames.TIME))):
        table = table.append_column(name, pa.repeat(value, len(table)))
    table = table.replace_schema_metadata({_PREFIX + key.encode(): value for key, value in origin.items()})
    try:
        make_folder(file.parent)
        _write_atomically(table, file)
    except OSError as failure:
        problem = failure.strerror or str(failure)
    else:
        return file
    raise errors.ConfigurationError(f"Snapshot {file} cannot be written: {problem}. Choose another folder.")


def read_snapshot(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a saved listing with the same columns and dtypes, and redacted comments.

    ``attrs`` of the frame contains the origin of the listing: ``host``, ``workspace_id``, ``workspace`` and
    ``taken_at`` (ISO 8601).

    Args:
        path: A file that ``Workspace.snapshot`` wrote.

    Returns:
        The columns of ``frames.TOKENS``, and the derived columns of ``Workspace.tokens`` if they were saved.

    Raises:
        UsageError: The file does not exist, or is not a snapshot.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - 4 MB and 10 ms, only for snapshots

    file = arguments.file("path", path)
    try:
        table = pq.ParquetFile(file).read()  # read_table would add columns for folders named workspace=…
    except FileNotFoundError:
        problem = "the file does not exist"
    except (OSError, UnicodeEncodeError, pa.ArrowException):
        problem = "it is a folder. Give one of its files" if file.is_dir() else "it is not a Parquet file"
    else:
        problem = "it has no snapshot metadata"
        if (origin := _origin(table.schema)) and {*frames.TOKENS.names, HOST, TAKEN_AT} <= {*table.column_names}:
            try:
                # Parquet and Arrow name the elements of lists differently, which makes the types unequal.
                listing = frames.to_pandas(frames.plain(table).drop_columns([HOST, TAKEN_AT]))
                listing = listing.astype({name: dtype for name, dtype in _NUMPY_DTYPES.items() if name in listing})
            except (pa.ArrowException, ValueError, KeyError):
                problem = "its columns are not those of a listing"
            else:
                listing.attrs |= origin
                return listing
    how = spelled("Use Workspace.snapshots() to list snapshots")
    raise errors.UsageError(f"{path} is not a snapshot: {problem}. {how}.")


def newest(
    saved: pd.DataFrame, since: str | pd.Timedelta | pd.Timestamp | None, *, now: pd.Timestamp, name: str
) -> str:
    """Return the file of the newest snapshot, or of the newest one that is old enough.

    Args:
        saved: The snapshots of a workspace, at least one, as ``list_snapshots`` returns them.
        since: How old it is at least, as a duration before now or a date.
        now: The current time.
        name: The workspace, for the error.

    Raises:
        UsageError: No snapshot is old enough.
    """
    if since is not None:
        age = duration_or_date(since)
        moment = now - age if isinstance(age, pd.Timedelta) else age
        oldest = saved["taken_at"].iloc[0]
        saved = saved[saved["taken_at"] <= moment]
        if not len(saved):
            raise errors.UsageError(
                f"{name} has no snapshot from before {moment:%Y-%m-%d %H:%M} UTC. The oldest one was saved on "
                f"{oldest:%Y-%m-%d %H:%M} UTC."
            )
    return str(saved["path"].iloc[-1])


def list_snapshots(files: Iterable[Path]) -> pd.DataFrame:
    """Return one row per snapshot among the files, oldest first, with the columns of ``SNAPSHOTS``."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    rows = []
    for file in files:
        try:
            metadata = pq.read_metadata(file)
            origin = _origin(metadata.schema.to_arrow_schema())
        except (OSError, UnicodeEncodeError, pa.ArrowException):
            continue  # not a Parquet file, or just deleted
        if origin:
            at_ms = _in_milliseconds(pd.Timestamp(origin[TAKEN_AT])).timestamp() * 1000
            rows.append({**origin, "path": str(file), TAKEN_AT: round(at_ms), "tokens": metadata.num_rows})
    found = frames.frame(rows, SNAPSHOTS)
    # With equal times, the longer name is the later snapshot: …-2.parquet, …-10.parquet.
    order = found.assign(length=found["path"].str.len()).sort_values([TAKEN_AT, "length", "path"], kind="stable").index
    return found.loc[order].reset_index(drop=True)


def check_target(path: Path, *, is_folder: bool = False) -> None:
    """Check that a path does not look like another kind of file, because a folder of this name would be created.

    Args:
        path: A folder, or a file for a snapshot.
        is_folder: Whether it can only be a folder.

    Raises:
        UsageError: It has the suffix of another kind of file.
    """
    is_file = path.suffix.lower() in {SUFFIX, ".html", *files.ENDINGS}
    if is_file and (is_folder or path.suffix != SUFFIX) and not path.is_dir():
        target = "a folder" if is_folder else f"a file that ends in {SUFFIX}, or a folder"
        raise errors.UsageError(
            f"{path} is not {target}: snapshots are Parquet files. "
            f"{spelled('For other formats, use the methods of the DataFrame that tokens() returns')}."
        )


def unused_file(folder: Path, *, workspace: str, taken_at: pd.Timestamp) -> Path:
    """Return an unused path named after workspace and time: ``prod-20260301T093000Z.parquet``."""
    name = re.sub(r"[^\w.-]+", "-", workspace.partition("://")[2] or workspace)
    stem = f"{name}-{taken_at.tz_convert('UTC'):%Y%m%dT%H%M%SZ}"
    number = 1
    # Path.exists would raise an error if the name is too long; writing reports it.
    while os.path.exists(file := folder / f"{stem}{f'-{number}' if number > 1 else ''}{SUFFIX}"):  # noqa: PTH110
        number += 1
    return file


def _table(tokens: pd.DataFrame) -> pa.Table:
    """Return a redacted listing as an Arrow table without pandas metadata."""
    # An unknown field can contain any JSON value.
    unknown = [str(name) for name in tokens if tokens[name].dtype == object and name not in frames.TOKENS.names]
    as_json = {name: tokens[name].map(json.dumps, na_action="ignore").astype(TEXT) for name in unknown}
    return frames.to_arrow(written(tokens.assign(**as_json)))


def _write_atomically(table: pa.Table, file: Path) -> None:
    """Write a temporary file, sync it to the disk, and rename it, so that readers never see an incomplete file."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    with replacing(file, private=True) as opened:
        pq.write_table(table, opened)


def _origin(schema: pa.Schema) -> dict[str, str]:
    """Return the origin of the listing in a file's metadata; empty if the file is not a snapshot."""
    found = {key: value for key, value in (schema.metadata or {}).items() if key.startswith(_PREFIX)}
    try:
        origin = {key.removeprefix(_PREFIX).decode(): value.decode() for key, value in found.items()}
        _in_milliseconds(pd.Timestamp(origin[TAKEN_AT]))
    except (KeyError, ValueError, TypeError):  # invalid metadata
        return {}
    return origin if {HOST, WORKSPACE} <= origin.keys() else {}


def _in_milliseconds(timestamp: pd.Timestamp) -> pd.Timestamp:
    return timestamp.tz_convert("UTC").as_unit("ms")
