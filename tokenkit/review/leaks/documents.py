"""What a file holds: its text, and the JSON objects or CSV rows in that.

A report passes through terminals, pipes and shells: it is one array, or several, or an object a line or over many
lines; in the encoding of a shell, with colors in it, and the scanner's own log between. All that is read. What is
neither an object nor such a log is a problem with a line number, and is never passed over.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from tokenkit import errors
from tokenkit.review.leaks.values import values_in

Source = str | os.PathLike[str] | IO[Any]

# Colors and questions to the terminal. In JSON such a character can only stand as an escape.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_LOG = re.compile(
    r"🐷|(?i:trufflehog|gitleaks|ggshield|detect-secrets)"
    r"|\b(?:TRC|DBG|INF|WRN|ERR|FTL|TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|(?:info|debug|error|warn)-\d)\b"
    r"|\blevel=\w|^Script (?:started|done)|^\S+@\S+[$#%>]|^\^[A-Z]$"
)
_BETWEEN = " \t\r,[]\x1e\ufeff"
_DELIMITERS = ",;\t"
_SHARE_OF_NULS = 0.25


class Item(NamedTuple):
    """An object of a report, the line that it begins at, and whether a scanner's log wrote it there."""

    line: int
    found: Mapping[str, Any]
    is_logged: bool = False


class Contents(NamedTuple):
    """The objects of a text, the first problem with reading it, and whether it is a report whatever its objects are."""

    items: list[Item]
    problem: str
    is_report: bool


def name_of(source: Source) -> str:
    """Return what a source is called in places and messages."""
    return str(getattr(source, "name", "the input")) if hasattr(source, "read") else os.fspath(source)


def text_of(source: Source) -> str:
    """Return the text of a file or stream whatever its encoding, without what is meant for a terminal.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        content = source.read() if hasattr(source, "read") else Path(source).expanduser().read_bytes()
    except OSError as failure:
        problem = failure.strerror or type(failure).__name__
    except (ValueError, RuntimeError):  # a NUL in a name, or nobody's home folder
        problem = "that is not the name of a file"
    else:
        return _CONTROL.sub("", content if isinstance(content, str) else _decoded(content))
    raise errors.UsageError(f"{name_of(source)} cannot be read: {problem}.")


def _decoded(content: bytes) -> str:
    """Return bytes as text. Values are ASCII, so a wrong guess costs letters of places and no value."""
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if content[first::2].count(0) > _SHARE_OF_NULS * len(content):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # as Excel saves CSV in the West


def items(text: str, wrote: Callable[[Mapping[str, Any]], bool]) -> Contents:
    """Return the objects of a report.

    Args:
        text: The report.
        wrote: Whether a scanner wrote a row with these columns: a text is CSV where it is so of the first line.
    """
    heading, _, _ = text.lstrip("\ufeff\r\n").partition("\n")
    for delimiter in _DELIMITERS:
        columns = [name.strip('" \r') for name in heading.split(delimiter)]
        if wrote(dict.fromkeys(columns)):
            return _rows(text, delimiter)
    return _objects(text)


def _rows(text: str, delimiter: str) -> Contents:
    found: list[Item] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    line = 1
    try:
        for row in reader:
            if columns and row and len(row) != len(columns):
                problem = f"Line {line} has {len(row)} columns, and the first line has {len(columns)}"
                return Contents(found, problem, is_report=True)
            if columns and row:
                found.append(Item(line, dict(zip(columns, row, strict=True))))
            columns = columns or [name.strip("\ufeff ") for name in row]
            line = reader.line_num + 1
    except csv.Error as failure:
        return Contents(found, f"Line {line} is not a whole row of CSV ({failure})", is_report=True)
    return Contents(found, "", is_report=True)


def _objects(text: str) -> Contents:
    """Return the JSON objects of a text that are in no other; arrays around them, and whether any, do not matter."""
    found: list[Item] = []
    problem, is_broken = "", False
    decoder = json.JSONDecoder()
    position = depth = 0
    line = 1
    while position < len(text):
        start = text.find("{", position)
        pieces = text[position : len(text) if start < 0 else start].split("\n")
        for number, piece in enumerate(pieces, line):
            said = piece.strip(_BETWEEN)
            is_before_object = start >= 0 and number == line + len(pieces) - 1
            if said in ("", "null"):
                depth += piece.count("[") - piece.count("]")
            elif not _may_be_passed_over(said, is_before_object=is_before_object):
                problem = problem or f"Line {number} is neither a finding nor a line of the scanner's log"
        line += len(pieces) - 1
        if start < 0:
            break
        # Once an object was broken, those of one line still tell whose report it is, in a time that is bounded.
        here, offset = (text[start : _line_end(text, start)], start) if is_broken else (text, 0)
        try:
            value, end = decoder.raw_decode(here, start - offset)
        except (ValueError, RecursionError):
            problem = problem or f"Line {line} is not a whole JSON object: the report is cut short, or damaged"
            is_broken = True
            position = _line_end(text, start)
            continue
        position = offset + end
        found.append(Item(line, value, _is_log(value) or _LOG.search(pieces[-1]) is not None))
        line += text.count("\n", start, position)
    if depth:
        problem = problem or "The report is cut short: a list in it does not end"
    is_empty = text.strip(f"{_BETWEEN}\n") in ("", "null")
    return Contents(found, problem, is_report=is_empty)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _is_log(value: Mapping[str, Any]) -> bool:
    return "level" in value and not value.keys().isdisjoint({"msg", "message"})


def _may_be_passed_over(said: str, *, is_before_object: bool) -> bool:
    """Return whether a text outside of all objects is a log's, a banner's or a prompt's, and surely no broken finding.

    Before an object on its line anything is: the time that a CI system writes there, for example.
    """
    if ('"' in said and not said.startswith("time=")) or values_in(said):
        return False
    return is_before_object or not re.search(r"\w", said) or _LOG.search(said) is not None
