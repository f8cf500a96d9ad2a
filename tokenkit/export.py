"""Frames on their way out: JSON records, CSV that a spreadsheet may open, text that a terminal may print.

Comments and names are written by anyone with a token, so each way out disarms what its reader would act on: formulas in
a spreadsheet, control sequences in a terminal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tokenkit.frames import TEXT

FORMULA_SIGNS = tuple("=+-@\t\n")
"""What Excel, LibreOffice and Google Sheets take for the beginning of a formula (OWASP, "CSV Injection")."""

# Control characters move the cursor or rewrite the screen; the others turn the direction of what is written around
# them.
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row as a JSON object each: times in ISO 8601, what is absent as null, ids as whole numbers."""
    plain = _iso_times(frame).astype(object)
    return plain.where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


def csv_text(frame: pd.DataFrame) -> str:
    """Return CSV: times in ISO 8601 with their zone, lists as words, and no cell that a spreadsheet would calculate."""
    plain = joined_lists(_iso_times(frame))
    for name in plain.columns:
        if pd.api.types.is_string_dtype(plain[name].dtype):
            # The csv module leaves a lone carriage return unquoted, which a reader takes for the end of the row.
            one_line_end = plain[name].astype(TEXT).str.replace(r"\r\n?", "\n", regex=True)
            plain[name] = one_line_end.mask(one_line_end.str.slice(stop=1).isin(FORMULA_SIGNS), "'" + one_line_end)
    return plain.to_csv(index=False)


def terminal_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of strings for a terminal: days for times, words for lists, nothing for what is absent."""
    plain = joined_lists(frame)
    for name in plain.columns:
        column = plain[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            plain[name] = column.dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_float_dtype(column.dtype):
            plain[name] = column.round(1)
    plain = plain.astype(TEXT).fillna("")
    return plain.assign(**{str(name): plain[name].str.replace(_UNPRINTABLE, "\ufffd", regex=True) for name in plain})


def plain_table(text: pd.DataFrame) -> str:
    """Return a frame of strings in columns as wide as their content, for a pipe."""
    padded = []
    for name in text.columns:
        width = max(len(str(name)), int(text[name].str.len().max()))
        padded.append([str(name).ljust(width), *text[name].str.ljust(width)])
    return "".join(f"{'  '.join(cells).rstrip()}\n" for cells in zip(*padded, strict=True))


def printable(text: str) -> str:
    """Return one line of text without what a terminal would act on."""
    return str(pd.Series([text], dtype=TEXT).str.replace(_UNPRINTABLE, "\ufffd", regex=True).iloc[0])


def joined_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose lists are words with spaces between them, and whatever else is an object is text as well."""
    return frame.assign(**{str(name): words(frame[name]) for name in frame if frame[name].dtype == object})


def words(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column of lists, or of whatever else, as text: the words of a list with spaces between them."""
    return column.map(_words, na_action="ignore").astype(TEXT)


def _words(value: Any) -> str:  # noqa: ANN401 - a cell
    return " ".join(map(str, value)) if isinstance(value, list | np.ndarray) else str(value)


def _iso_times(frame: pd.DataFrame) -> pd.DataFrame:
    times = frame.select_dtypes("datetimetz").columns
    as_text = {str(name): frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.slice(stop=23) + "Z" for name in times}
    return frame.assign(**as_text)
