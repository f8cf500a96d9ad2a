"""Saved listings: Parquet files that anything can read, to look back at and to compare with.

A file has a row for each token with the columns of the listing, then ``host`` and ``taken_at``. So a folder of them is
one table, in DuckDB for example ``SELECT taken_at, count(*) FROM 'snapshots/*.parquet' GROUP BY 1``. The file's
metadata says both once more, as a listing may be empty. Nothing in a file is pandas' own: texts, 64-bit integers, lists
of text, and UTC timestamps in milliseconds.

A file appears whole or not at all, and only its owner may read it. What looks like a credential in a text is redacted,
as it is in the journal.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.frames import TEXT
from tokenkit.home import make_folder
from tokenkit.review.texts import written

HOST, TAKEN_AT, WORKSPACE, WORKSPACE_ID = "host", "taken_at", "workspace", "workspace_id"
"""What a listing says of itself, in ``DataFrame.attrs`` and in a file's metadata: where and when it was taken."""

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
_PREFIX = b"tokenkit."  # of our keys in a file's metadata
_NUMPY = {"never_expires": bool}  # Arrow has one kind of truth, frames have two


def write_snapshot(
    tokens: pd.DataFrame, file: Path, *, host: str, workspace_id: str, workspace: str, taken_at: pd.Timestamp
) -> Path:
    """Write a listing to a file, over one that is there, and return the file.

    Args:
        tokens: A listing, raw or with the derived columns. Fields that a newer server added are kept, those of no plain
            type as JSON.
        file: Where to; folders that are not there are made.
        host: The workspace's address.
        workspace_id: Its id, as one host may serve several.
        workspace: What it is called.
        taken_at: When the listing was taken.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    said = {
        HOST: host,
        WORKSPACE_ID: workspace_id,
        WORKSPACE: workspace,
        TAKEN_AT: taken_at.tz_convert("UTC").isoformat(),
    }
    table = _table(tokens)
    for name, value in ((HOST, pa.scalar(host)), (TAKEN_AT, pa.scalar(_moment(taken_at), frames.TIME))):
        table = table.append_column(name, pa.repeat(value, len(table)))
    table = table.replace_schema_metadata({_PREFIX + key.encode(): value for key, value in said.items()})
    try:
        make_folder(file.parent)
        _write_whole(table, file)
    except OSError as failure:
        problem = failure.strerror or str(failure)
    else:
        return file
    raise errors.ConfigurationError(f"The snapshot {file} cannot be written: {problem}. Name another folder.")


def read_snapshot(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a saved listing as it was: the same columns and dtypes, its comments redacted.

    ``attrs`` of the frame says where and when it was taken: ``host``, ``workspace_id``, ``workspace`` and ``taken_at``
    (ISO 8601).

    Args:
        path: A file that ``Workspace.snapshot`` wrote.

    Returns:
        The columns of ``frames.TOKENS`` and those that ``Workspace.tokens`` adds to them.

    Raises:
        UsageError: There is no such file, or it is no snapshot.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - 4 MB and 10 ms that only snapshots need

    try:
        table = pq.ParquetFile(path).read()  # not read_table, which makes columns of folders named workspace=…
    except FileNotFoundError:
        problem = "there is no such file"
    except (OSError, pa.ArrowException):
        problem = "it is no Parquet file"
    else:
        problem = "it is another Parquet file"
        if (said := _said(table.schema)) and {*frames.TOKENS.names, HOST, TAKEN_AT} <= {*table.column_names}:
            try:
                # Parquet calls the elements of a list otherwise than Arrow, which tells the types apart by that.
                listing = frames.to_pandas(frames.plain(table).drop_columns([HOST, TAKEN_AT]))
                listing = listing.astype({name: dtype for name, dtype in _NUMPY.items() if name in listing})
            except (pa.ArrowException, ValueError, KeyError):
                problem = "its columns are not those of a listing"
            else:
                listing.attrs |= said
                return listing
    where = "The verb snapshot prints where it saves one; Workspace.snapshots() lists them"
    raise errors.UsageError(f"{path} is no snapshot: {problem}. {where}.")


def list_snapshots(files: Iterable[Path]) -> pd.DataFrame:
    """Return a row for each of the files that is a snapshot, oldest first, with the columns of ``SNAPSHOTS``."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - likewise

    rows = []
    for file in files:
        try:
            metadata = pq.read_metadata(file)
            said = _said(metadata.schema.to_arrow_schema())
        except (OSError, pa.ArrowException):
            continue  # somebody else's file, or one that is going away
        if said:
            at_ms = _moment(pd.Timestamp(said[TAKEN_AT])).timestamp() * 1000
            rows.append({**said, "path": str(file), TAKEN_AT: round(at_ms), "tokens": metadata.num_rows})
    found = frames.frame(rows, SNAPSHOTS)
    # Of those of one moment the longer name is the later one: …-2.parquet, …-10.parquet.
    order = found.assign(length=found["path"].str.len()).sort_values([TAKEN_AT, "length", "path"], kind="stable").index
    return found.loc[order].reset_index(drop=True)


def unused_file(folder: Path, *, workspace: str, taken_at: pd.Timestamp) -> Path:
    """Return a file that is not there yet, named by workspace and time: ``prod-20260301T093000Z.parquet``."""
    name = re.sub(r"[^\w.-]+", "-", workspace.partition("://")[2] or workspace)
    stem = f"{name}-{taken_at.tz_convert('UTC'):%Y%m%dT%H%M%SZ}"
    number = 1
    # Not Path.exists, which raises where a name is too long to be one; to write there says so.
    while os.path.exists(file := folder / f"{stem}{f'-{number}' if number > 1 else ''}{SUFFIX}"):  # noqa: PTH110
        number += 1
    return file


def _table(tokens: pd.DataFrame) -> pa.Table:
    """Return a listing as an Arrow table without what is pandas' own, redacted."""
    # A field of which nothing is known may hold anything that JSON can.
    unknown = [str(name) for name in tokens if tokens[name].dtype == object and name not in frames.TOKENS.names]
    as_json = {name: tokens[name].map(json.dumps, na_action="ignore").astype(TEXT) for name in unknown}
    return frames.to_arrow(written(tokens.assign(**as_json)))


def _write_whole(table: pa.Table, file: Path) -> None:
    """Write beside the file, on to the disk, and rename: a reader never sees half of it."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - likewise

    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.stem}", suffix=".partial")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as opened:
            pq.write_table(table, opened)
            opened.flush()
            os.fsync(opened.fileno())
        Path(partial).replace(file)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _said(schema: pa.Schema) -> dict[str, str]:
    """Return what a file's metadata says of the listing; nothing where it is no snapshot."""
    found = {key: value for key, value in (schema.metadata or {}).items() if key.startswith(_PREFIX)}
    try:
        said = {key.removeprefix(_PREFIX).decode(): value.decode() for key, value in found.items()}
        _moment(pd.Timestamp(said[TAKEN_AT]))
    except (KeyError, ValueError, TypeError):  # somebody else's, whatever it calls itself
        return {}
    return said if {HOST, WORKSPACE} <= said.keys() else {}


def _moment(at: pd.Timestamp) -> pd.Timestamp:
    return at.tz_convert("UTC").as_unit("ms")
