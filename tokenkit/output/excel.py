"""Writes frames as an Excel workbook, without values that Excel would modify or calculate.

Ids are written as text, because Excel's numbers have 15 digits. Times are in UTC with the time zone in the heading,
because Excel has no time zones. Text that looks like a formula remains text, even if the cell is edited. pandas reads
the rows back unchanged.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.core import wording
from tokenkit.core.progress import progress_bar
from tokenkit.frames import TEXT
from tokenkit.output import export

ROWS = 1_048_575
"""The maximum number of rows of a sheet, without the heading."""

_MAX_CHARACTERS = 32_767  # per cell
_MAX_EXACT_INTEGER = 10**15  # Excel rounds larger numbers
_MIN_WIDTH, _MAX_WIDTH = 10, 50  # of a column, in characters
_INVALID_IN_XML = "[\ufffe\uffff]"  # in addition to control characters


def check_installed() -> None:
    """Check that Excel files can be written here.

    Raises:
        ConfigurationError: openpyxl is not installed.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise errors.ConfigurationError(wording.not_installed("Excel files require openpyxl", "openpyxl"))


def workbook(sheets: Mapping[str, pd.DataFrame], *, progress: bool = False) -> bytes:
    """Return an ``.xlsx`` file with a sheet for each frame, its heading frozen and its filters on.

    Lists become text, absent values become empty cells, times are accurate to the second, and text is truncated to
    32,767 characters.

    Args:
        sheets: The frames by the names of their sheets.
        progress: Whether to show a progress bar after two seconds.

    Raises:
        ConfigurationError: openpyxl is not installed.
        UsageError: A frame has more rows than a sheet can contain.
    """
    check_installed()
    from openpyxl import Workbook  # noqa: PLC0415 - an extra

    for name, frame in sheets.items():
        if len(frame) > ROWS:
            raise errors.UsageError(f"Excel sheets are limited to {ROWS:,} rows; {name} has {len(frame):,}. Write CSV.")
    book = Workbook(write_only=True)
    total = sum(map(len, sheets.values()))
    with progress_bar(total, "Excel", unit="row", shown=progress) as advance:
        for name, frame in sheets.items():
            _write(book.create_sheet(name), frame, advance=advance)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _write(sheet: Any, frame: pd.DataFrame, *, advance: Callable[[int], None]) -> None:  # noqa: ANN401 - openpyxl is untyped
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - an extra
    from openpyxl.styles import Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    def cell(value: object, **style: Any) -> Any:  # noqa: ANN401 - openpyxl is untyped
        created = WriteOnlyCell(sheet, value)
        if isinstance(value, str):
            created.data_type = "s"  # otherwise openpyxl treats text with a leading = as a formula
        for name, setting in style.items():
            setattr(created, name, setting)
        return created

    headings, columns = [], []
    plain = export.join_lists(frame).set_axis(export.headings(frame), axis="columns")
    for number, (name, column) in enumerate(plain.items(), 1):
        is_time = isinstance(column.dtype, pd.DatetimeTZDtype)
        heading = f"{name} (UTC)" if is_time else str(name)
        headings.append(cell(heading, font=Font(bold=True), quotePrefix=heading.startswith(export.FORMULA_SIGNS)))
        width = len(heading) + 3  # for the filter button
        if is_time:
            # Via NumPy, because some versions of pandas cannot convert the year 9999 to datetime.
            values = column.dt.tz_convert(None).to_numpy().astype("datetime64[s]").tolist()
            width = max(width, 18)
        elif pd.api.types.is_bool_dtype(column.dtype) or _is_count(column):
            values = column.astype(object).where(column.notna(), None).tolist()
        elif pd.api.types.is_float_dtype(column.dtype):
            known = column.astype(object).where(column.notna(), None)
            values = [None if value is None else cell(value, number_format="0.0") for value in known]
        else:
            text = _writable(column)
            is_guarded = text.str.slice(stop=1).isin([*export.FORMULA_SIGNS, "#"])  # also errors such as #N/A
            width = max(width, int(text.str.len().max() if text.notna().any() else 0) + 1)
            values = [
                cell(value, quotePrefix=True) if guarded else value
                for value, guarded in zip(text.astype(object).where(text.notna(), None), is_guarded, strict=True)
            ]
        columns.append(values)
        sheet.column_dimensions[get_column_letter(number)].width = min(width, _MAX_WIDTH)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(columns), 1))}{len(frame) + 1}"
    sheet.append(headings)
    for row in zip(*columns, strict=True):
        sheet.append(row)
        advance(1)


def _is_count(column: pd.Series[Any]) -> bool:
    """Return whether a column contains integers to calculate with, instead of ids or numbers that Excel would round."""
    if not pd.api.types.is_integer_dtype(column.dtype):
        return False
    is_id = str(column.name) == "id" or str(column.name).endswith("_id")
    return not is_id and bool((column.abs() < _MAX_EXACT_INTEGER).fillna(value=True).all())


def _writable(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column as text that is valid in XML and fits into a cell."""
    text = column.astype(object).where(column.notna(), None).map(str, na_action="ignore").astype(TEXT)
    return export.multiline(text).str.replace(_INVALID_IN_XML, "\ufffd", regex=True).str.slice(stop=_MAX_CHARACTERS)
