"""Frames as an Excel workbook, whose cells Excel shows as they are and calculates none of.

What Excel would change is written so that it cannot: ids as text, as its numbers have 15 digits; times in UTC with the
zone in the heading, as it knows no zones; text that looks like a formula as text that stays so when somebody edits it.
pandas reads the rows back as they were.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tokenkit import errors, export
from tokenkit.frames import TEXT

ROWS = 1_048_575
"""What a sheet holds, below its heading."""

_CHARACTERS = 32_767  # of a cell
_EXACT = 10**15  # Excel rounds from here on
_NARROWEST, _WIDEST = 10, 50  # of a column, in characters
_UNWRITABLE = "[\ufffe\uffff]"  # XML has no way to write these, nor control characters


def workbook(sheets: Mapping[str, pd.DataFrame], *, progress: bool = False) -> bytes:
    """Return an ``.xlsx`` file with a sheet for each frame, its heading frozen and its filters on.

    Lists are words, what is absent is an empty cell, a time is exact to the second, and a text of more than 32,767
    characters is cut.

    Args:
        sheets: Frames by the names of their sheets.
        progress: Show a progress bar once it takes more than two seconds.

    Raises:
        ConfigurationError: openpyxl is not installed.
        UsageError: A frame has more rows than a sheet holds.
    """
    try:
        from openpyxl import Workbook  # noqa: PLC0415 - an extra
    except ImportError:
        problem = errors.ConfigurationError(
            "openpyxl, which writes Excel files, is not installed here. Install it with: pip install 'tokenkit[excel]'"
        )
        raise problem from None
    for name, frame in sheets.items():
        if len(frame) > ROWS:
            raise errors.UsageError(f"A sheet of Excel holds {ROWS:,} rows, and {name} has {len(frame):,}: write CSV.")
    from tqdm.auto import tqdm  # noqa: PLC0415 - only here

    book = Workbook(write_only=True)
    total = sum(map(len, sheets.values()))
    with tqdm(total=total, desc="Excel", unit="row", delay=2, leave=False, disable=not progress) as bar:
        for name, frame in sheets.items():
            _write(book.create_sheet(name), frame, advance=bar.update)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _write(sheet: Any, frame: pd.DataFrame, *, advance: Callable[[], object]) -> None:  # noqa: ANN401 - openpyxl is untyped
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - an extra
    from openpyxl.styles import Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    def cell(value: object, **style: Any) -> Any:  # noqa: ANN401 - openpyxl is untyped
        made = WriteOnlyCell(sheet, value)
        if isinstance(value, str):
            made.data_type = "s"  # openpyxl, too, takes what begins with = for a formula
        for name, setting in style.items():
            setattr(made, name, setting)
        return made

    headings, columns = [], []
    plain = export.joined_lists(frame).set_axis(export.headings(frame), axis="columns")
    for number, (name, column) in enumerate(plain.items(), 1):
        is_time = isinstance(column.dtype, pd.DatetimeTZDtype)
        heading = f"{name} (UTC)" if is_time else str(name)
        headings.append(cell(heading, font=Font(bold=True), quotePrefix=heading.startswith(export.FORMULA_SIGNS)))
        width = len(heading) + 3  # for the button of the filter
        if is_time:
            # By way of numpy: not every version of pandas makes Python's datetime of the year 9999.
            values = column.dt.tz_convert(None).to_numpy().astype("datetime64[s]").tolist()
            width = max(width, 18)
        elif pd.api.types.is_bool_dtype(column.dtype) or _is_count(column):
            values = column.astype(object).where(column.notna(), None).tolist()
        elif pd.api.types.is_float_dtype(column.dtype):
            known = column.astype(object).where(column.notna(), None)
            values = [None if value is None else cell(value, number_format="0.0") for value in known]
        else:
            text = _writable(column)
            acted_on = text.str.slice(stop=1).isin([*export.FORMULA_SIGNS, "#"])  # errors too, such as #N/A
            width = max(width, int(text.str.len().max() if text.notna().any() else 0) + 1)
            values = [
                cell(value, quotePrefix=True) if guarded else value
                for value, guarded in zip(text.astype(object).where(text.notna(), None), acted_on, strict=True)
            ]
        columns.append(values)
        sheet.column_dimensions[get_column_letter(number)].width = min(width, _WIDEST)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(columns), 1))}{len(frame) + 1}"
    sheet.append(headings)
    for row in zip(*columns, strict=True):
        sheet.append(row)
        advance()


def _is_count(column: pd.Series[Any]) -> bool:
    """Return whether whole numbers are to be calculated with: not ids, nor what Excel would round."""
    if not pd.api.types.is_integer_dtype(column.dtype):
        return False
    is_id = str(column.name) == "id" or str(column.name).endswith("_id")
    return not is_id and bool((column.abs() < _EXACT).fillna(value=True).all())


def _writable(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column as text that XML can carry and a cell can hold."""
    text = column.astype(object).where(column.notna(), None).map(str, na_action="ignore").astype(TEXT)
    return export.multiline(text).str.replace(_UNWRITABLE, "\ufffd", regex=True).str.slice(stop=_CHARACTERS)
