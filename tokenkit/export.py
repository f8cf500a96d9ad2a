"""Frames on their way out: JSON records, CSV that a spreadsheet may open, text that a terminal may print.

Comments and names are written by anyone with a token, and the names of new fields by the server, so each way out
disarms what its reader would act on: formulas in a spreadsheet, control sequences in a terminal.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd

from tokenkit.frames import TEXT, encodable
from tokenkit.printable import REPLACEMENT, UNPRINTABLE, UNPRINTABLE_IN_LINES, printable

FORMULA_SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\n")
"""What Excel, LibreOffice and Google Sheets take for the beginning of a formula (OWASP, "CSV Injection")."""

_SIGNS = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_BEGINS = rf"^(?:[\t\n]|\s*{_SIGNS})"
# A spreadsheet that parts cells at semicolons or tabs, as in half of Europe, heeds no quotation marks inside a cell.
_GOES_ON = rf"[;\t\n][\s\"]*{_SIGNS}"
_BEFORE_SIGN = re.compile(rf"([;\t\n][\s\"]*)(?={_SIGNS})")
_ESCAPED_IN_JSON = re.compile(f"[\ud800-\udfff]|{UNPRINTABLE_IN_LINES}")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row as a JSON object each: times in ISO 8601, what is absent as null, ids as whole numbers.

    What JSON has no number for (a NaN or an infinity, which Python's JSON would write all the same) is null as well.
    """
    plain = _iso_times(frame).astype(object).where(frame.notna(), None)
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
            plain[name] = pd.Series([_in_json(value) for value in plain[name]], plain.index, object)
    return plain.to_dict("records")  # type: ignore[return-value]


def json_text(frame: pd.DataFrame) -> str:
    """Return the rows as JSON. What a terminal would act on is escaped in it, so that nothing is lost."""
    text = json.dumps(records(frame), ensure_ascii=False, indent=1, allow_nan=False)
    return _ESCAPED_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)


def csv_text(frame: pd.DataFrame) -> str:
    """Return CSV: times in ISO 8601 with their zone, lists as words, and no cell that a spreadsheet would calculate."""
    plain = joined_lists(_iso_times(frame))
    for name in plain.columns:
        if pd.api.types.is_string_dtype(plain[name].dtype):
            plain[name] = _guarded(multiline(plain[name]))
    return plain.to_csv(index=False, header=_guarded(pd.Series(headings(frame), dtype=TEXT)).tolist())


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
    plain = plain.assign(**{str(name): plain[name].str.replace(UNPRINTABLE, REPLACEMENT, regex=True) for name in plain})
    return plain.set_axis(headings(frame), axis="columns")


def headings(frame: pd.DataFrame) -> list[str]:
    """Return the names of columns as they may be shown, each another."""
    shown: list[str] = []
    for name in map(str, frame.columns):
        heading = printable(name)
        while heading in shown:
            heading += REPLACEMENT
        shown.append(heading)
    return shown


def multiline(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column of text with one kind of line end and nothing else that acts or is not seen."""
    one_line_end = column.astype(TEXT).str.replace(r"\r\n?", "\n", regex=True)
    return one_line_end.str.replace(UNPRINTABLE_IN_LINES, REPLACEMENT, regex=True)


def plain_table(text: pd.DataFrame) -> str:
    """Return a frame of strings in columns as wide as their content, for a pipe."""
    padded = []
    for name in text.columns:
        width = max(len(str(name)), int(text[name].str.len().max()))
        padded.append([str(name).ljust(width), *text[name].str.ljust(width)])
    return "".join(f"{'  '.join(cells).rstrip()}\n" for cells in zip(*padded, strict=True))


def joined_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose lists are words with spaces between them, and whatever else is an object is text as well."""
    return frame.assign(**{str(name): words(frame[name]) for name in frame if frame[name].dtype == object})


def words(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column of lists, or of whatever else, as text: the words of a list with spaces between them."""
    return column.map(_words, na_action="ignore").astype(TEXT)


def _words(value: Any) -> str:  # noqa: ANN401 - a cell
    # A field that is not known may hold half a surrogate pair, which no column of text can.
    return encodable(" ".join(map(str, value)) if isinstance(value, list | np.ndarray) else str(value))


def _iso_times(frame: pd.DataFrame) -> pd.DataFrame:
    times = frame.select_dtypes("datetimetz").columns
    as_text = {str(name): frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.slice(stop=23) + "Z" for name in times}
    return frame.assign(**as_text)


def _guarded(text: pd.Series[str]) -> pd.Series[str]:
    """Return text of which no part is taken for a formula, wherever a spreadsheet parts it into cells."""
    goes_on = text.str.contains(_GOES_ON, na=False).astype(bool)
    if goes_on.any():
        text = text.mask(goes_on, text[goes_on].map(_parted))
    return text.mask(text.str.contains(_BEGINS, na=False).astype(bool), "'" + text)


def _parted(cell: str) -> str:
    begin = len(cell) - len(cell.lstrip())  # a sign after blanks alone is guarded where the cell begins
    return cell[:begin] + _BEFORE_SIGN.sub(r"\1'", cell[begin:])


def _in_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | np.ndarray):
        return [*map(_in_json, value)]
    if isinstance(value, dict):
        return {str(name): _in_json(each) for name, each in value.items()}
    return value
