"""The listing before a change of permissions, stored until the deleted tokens are recorded.

A change can delete tokens that its plan does not show, such as those of group members that the workspace does not list.
Comparing the listings before and after the change identifies them. If the process ends in between, ``resume`` uses this
file.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.core.home import private_folder, replacing
from tokenkit.review.texts import written


def keep(folder: Path, run_id: str, tokens: pd.DataFrame) -> None:
    """Write the listing, with ``owner``, and with texts redacted.

    Raises:
        JournalError: It cannot be written.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - costs 4 MB and 10 ms; only needed for changes of permissions

    table = frames.to_arrow(written(tokens[[*frames.TOKENS.names, "owner"]]))
    try:
        with replacing(_file(private_folder(folder), run_id), private=True) as opened:
            pq.write_table(table, opened)
    except OSError as failure:
        problem = failure.strerror or str(failure)
    else:
        return
    raise errors.JournalError(f"{_file(folder, run_id)} cannot be written: {problem}. No request was sent.")


def read(folder: Path, run_id: str) -> pd.DataFrame | None:
    """Return the listing; None if it does not exist or cannot be read."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        return frames.to_pandas(frames.plain(pq.ParquetFile(_file(folder, run_id)).read()))
    except (OSError, pa.ArrowException):
        return None


def forget(folder: Path, run_id: str) -> None:
    """Delete the file, if it exists."""
    _file(folder, run_id).unlink(missing_ok=True)


def _file(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.before.parquet"
