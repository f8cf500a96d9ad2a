"""Exports frames as JSON records, CSV for spreadsheets, and text for terminals.

Anyone with a token can write comments and names, and the server chooses the names of new fields. So every format
neutralizes what its reader would execute: formulas in a spreadsheet, control sequences in a terminal.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenkit.core.printable import REPLACEMENT, UNPRINTABLE, UNPRINTABLE_IN_LINES, printable
from tokenkit.frames import TEXT, TOKENS, encodable
from tokenkit.review import columns

FORMULA_SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\n")
"""The first characters that make a cell a formula in Excel, LibreOffice or Google Sheets (OWASP, "CSV Injection")."""

SEPARATOR = "; "
"""Between the items of a list in TSV and spreadsheets, as between warnings: an item can have blanks and commas."""

_SIGNS = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA_AT_START = rf"^(?:[\t\n]|\s*{_SIGNS})"
# A spreadsheet that splits cells at semicolons or tabs, as in many locales, ignores quotation marks inside a cell.
_FORMULA_AFTER_SEPARATOR = rf"[;\t\n][\s\"]*{_SIGNS}"
_BEFORE_SIGN = re.compile(rf"([;\t\n][\s\"]*)(?={_SIGNS})")
_IDS = frozenset(field.name for field in TOKENS if field.type == pa.int64())
_ESCAPED_IN_JSON = re.compile(f"[\ud800-\udfff]|{UNPRINTABLE_IN_LINES}")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as JSON objects: times in ISO 8601, absent values as null, ids as integers.

    NaN and infinity, which are invalid in JSON although Python would write them, are null as well. The id of a
    workspace is text in the journal and in snapshots, and an integer here.
    """
    plain = _iso_times(frame).astype(object).where(frame.notna(), None)
    for name in _IDS.intersection(frame.columns):
        if not pd.api.types.is_integer_dtype(frame[name].dtype):  # text is an object, or a dtype of its own
            plain[name] = pd.Series([_id(value) for value in plain[name]], plain.index, object)
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
            plain[name] = pd.Series([_json_value(value) for value in plain[name]], plain.index, object)
    return plain.to_dict("records")  # type: ignore[return-value]


def json_text(frame: pd.DataFrame) -> str:
    """Return the rows as JSON, with control and invisible characters escaped."""
    text = json.dumps(records(frame), ensure_ascii=False, indent=1, allow_nan=False)
    return _ESCAPED_IN_JSON.sub(lambda match: json.dumps(match[0])[1:-1], text)


def csv_text(frame: pd.DataFrame) -> str:
    """Return the rows as CSV: times in ISO 8601 with time zone, lists as JSON, and no formulas.

    An item can be a sentence, so no separator is safe. ``json.loads`` and ``listed`` read what is written.
    """
    plain = _with_text(_iso_times(frame), _json_cell)
    for name in plain.columns:
        if pd.api.types.is_string_dtype(plain[name].dtype):
            plain[name] = _guarded(multiline(plain[name]))
    return plain.to_csv(index=False, header=_guarded(pd.Series(headings(frame), dtype=TEXT)).tolist())


def tsv_text(frame: pd.DataFrame) -> str:
    """Return the rows as tab-separated values for other programs: whole, with headings, without padding or quotes."""
    booleans = [name for name in frame if pd.api.types.is_bool_dtype(frame[name].dtype)]
    shown = frame.assign(**{str(name): columns.yes_or_blank(frame[name]) for name in booleans})
    plain = terminal_text(_iso_times(shown))
    rows = zip(*(plain[name].to_list() for name in plain), strict=True)  # itertuples reads Arrow a cell at a time
    return "".join(f"{line}\n" for line in map("\t".join, [(*plain.columns,), *rows]))


def terminal_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of strings for a terminal: times as dates, lists as text, absent values as empty text."""
    plain = join_lists(frame)
    for name in plain.columns:
        column = plain[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            plain[name] = column.dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_float_dtype(column.dtype):
            plain[name] = column.round(1)
    texts = [name for name in plain if not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    plain = plain.astype(TEXT).fillna("")
    plain = plain.assign(**{str(name): plain[name].str.replace(UNPRINTABLE, REPLACEMENT, regex=True) for name in texts})
    return plain.set_axis(headings(frame), axis="columns")


def headings(frame: pd.DataFrame) -> list[str]:
    """Return the printable names of columns, made unique."""
    shown: list[str] = []
    for name in map(str, frame.columns):
        heading = printable(name)
        while heading in shown:
            heading += REPLACEMENT
        shown.append(heading)
    return shown


def multiline(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column of text with uniform line ends, and other control and invisible characters replaced."""
    one_line_end = column.astype(TEXT).str.replace(r"\r\n?", "\n", regex=True)
    return one_line_end.str.replace(UNPRINTABLE_IN_LINES, REPLACEMENT, regex=True)


def join_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with object columns converted to text; the items of lists are separated by ``SEPARATOR``."""
    return _with_text(frame, _joined_cell)


def cell_text(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column as text; the items of lists are separated by ``SEPARATOR``."""
    return _column_text(column, _joined_cell)


def listed(text: str) -> list[str]:
    """Return the items of a list in a cell of CSV, or one whose items are separated by ``SEPARATOR``."""
    if text.startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            return [*map(str, json.loads(text))]
    return [item for item in text.split(SEPARATOR) if item]


def _with_text(frame: pd.DataFrame, cell: Callable[[Any], str]) -> pd.DataFrame:
    return frame.assign(**{str(name): _column_text(frame[name], cell) for name in frame if frame[name].dtype == object})


def _column_text(column: pd.Series[Any], cell: Callable[[Any], str]) -> pd.Series[str]:
    # An unknown field can contain half a surrogate pair, which is invalid in a text column.
    return column.map(lambda value: encodable(cell(value)), na_action="ignore").astype(TEXT)


def _joined_cell(value: Any) -> str:  # noqa: ANN401 - a cell
    return SEPARATOR.join(map(str, value)) if isinstance(value, list | np.ndarray) else str(value)


def _json_cell(value: Any) -> str:  # noqa: ANN401 - a cell
    is_json = isinstance(value, list | np.ndarray | dict)
    return json.dumps(_json_value(value), ensure_ascii=False, default=str) if is_json else str(value)


def _iso_times(frame: pd.DataFrame) -> pd.DataFrame:
    times = frame.select_dtypes("datetimetz").columns
    as_text = {str(name): frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.slice(stop=23) + "Z" for name in times}
    return frame.assign(**as_text)


def _guarded(text: pd.Series[str]) -> pd.Series[str]:
    """Return text without formulas, even if a spreadsheet splits it into cells."""
    has_formula = text.str.contains(_FORMULA_AFTER_SEPARATOR, na=False).astype(bool)
    if has_formula.any():
        text = text.mask(has_formula, text[has_formula].map(_guard_after_separators))
    return text.mask(text.str.contains(_FORMULA_AT_START, na=False).astype(bool), "'" + text)


def _guard_after_separators(cell: str) -> str:
    begin = len(cell) - len(cell.lstrip())  # a sign after leading whitespace is guarded at the start of the cell
    return cell[:begin] + _BEFORE_SIGN.sub(r"\1'", cell[begin:])


def _id(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return an id as a number; an unknown one, which is empty, as None."""
    if not isinstance(value, str):
        return value
    return int(value) if re.fullmatch("[0-9]{1,19}", value) else value or None


def _json_value(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | np.ndarray):
        return [*map(_json_value, value)]
    if isinstance(value, dict):
        return {str(name): _json_value(item) for name, item in value.items()}
    return value
