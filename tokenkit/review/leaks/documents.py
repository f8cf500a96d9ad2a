"""The text of a file, and the JSON objects or CSV rows in it.

Reports pass through terminals, pipes and shells. A report may be one array, several arrays, one object per line or an
object over many lines. It may have any encoding that shells write, terminal colors, and lines of the scanner's log. All
of these are read. Any other text is reported as a problem with its line number and is never skipped.
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
from tokenkit.core.wording import why_unreadable
from tokenkit.review.leaks.values import values_in

Source = str | os.PathLike[str] | IO[Any]

# Terminal colors and queries. JSON contains such a character only in its escaped form.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_LOG = re.compile(
    r"🐷|(?i:trufflehog|gitleaks|ggshield|detect-secrets)"
    r"|\b(?:TRC|DBG|INF|WRN|ERR|FTL|TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|(?:info|debug|error|warn)-\d)\b"
    r"|\blevel=\w|^Script (?:started|done)|^\S+@\S+[$#%>]|^\^[A-Z]$"
)
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
_LABELED = re.compile(r"([A-Z][A-Za-z_ ]*):(?:\s+(.*))?")
_STAMP = re.compile(r"^(?:[^\t\n]*\t){0,2}\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ?")  # of each line in the log of a pipeline
_MARKUP = re.compile(r"<[^<>]*>")
_BETWEEN = " \t\r,[]\ufeff"
_DELIMITERS = ",;\t"
_SHARE_OF_NULS = 0.25


class Item(NamedTuple):
    """An object of a report, the line on which it begins, and whether it belongs to the scanner's log."""

    line: int
    found: Mapping[str, Any]
    is_logged: bool = False


class Contents(NamedTuple):
    """The objects of a text, the first problem, and whether the text is a report regardless of its objects."""

    items: list[Item]
    problem: str
    is_report: bool


def name_of(source: Source) -> str:
    """Return the name of a source, for locations and messages.

    Raises:
        UsageError: It is not a source.
    """
    if hasattr(source, "read"):
        return str(getattr(source, "name", "the input"))
    if isinstance(source, str | os.PathLike) and isinstance(name := os.fspath(source), str):
        return name
    raise errors.UsageError("Expected the path of a file, as a string or a path object, or an open file.")


def text_of(source: Source) -> str:
    """Return the text of a file or stream in any encoding, without terminal control sequences.

    Raises:
        UsageError: The source cannot be read.
    """
    try:
        content = source.read() if hasattr(source, "read") else Path(source).expanduser().read_bytes()
    except OSError as failure:
        problem = why_unreadable(failure)
    except (ValueError, RuntimeError):  # a NUL in the name, or the home folder of an unknown user
        problem = "not a valid file name"
    else:
        if isinstance(content, str) or not content.startswith(_COMPRESSED):
            return _CONTROL.sub("", content if isinstance(content, str) else _decoded(content))
        problem = "it is compressed, or a workbook. Unpack it, or save it as CSV"
    raise errors.UsageError(f"Cannot read {name_of(source)}: {problem}.")


def _decoded(content: bytes) -> str:
    """Return bytes as text. Values are ASCII, so a wrong guess damages characters of locations but no value."""
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if content[first::2].count(0) > _SHARE_OF_NULS * len(content):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # Excel saves CSV in a code page like this


def items(text: str, wrote: Callable[[Mapping[str, Any]], bool]) -> Contents:
    """Return the objects of a report.

    Args:
        text: The report.
        wrote: Whether a scanner writes rows with these columns. If so for the first line, the text is CSV.
    """
    if text.lstrip("\ufeff\r\n ").startswith("<") and "<testsuite" in text:
        import html  # noqa: PLC0415 - only for this kind of report

        text = html.unescape(_MARKUP.sub("", text))  # gitleaks' JUnit: each failure is the JSON of a finding
    if blocks := _blocks(text, wrote):
        return blocks
    text = re.sub(r"^\ufeff?sep=.\r?\n", "", text)  # as Excel writes it
    heading, _, _ = text.lstrip("\ufeff\r\n").partition("\n")
    for delimiter in _DELIMITERS:
        columns = [name.strip('" \r') for name in heading.split(delimiter)]
        # A line of JSON that was cut behind a key of the same name is no heading.
        if "{" not in heading and wrote(dict.fromkeys(columns)):
            return _rows(text, delimiter)
    return _objects(text)


def _blocks(text: str, wrote: Callable[[Mapping[str, Any]], bool]) -> Contents | None:
    """Return findings that are written for people: lines of ``Name: value``, and an empty line after each finding.

    Returns:
        None if the text has no such finding.
    """
    found: list[Item] = []
    problem = ""
    fields: dict[str, str] = {}
    begin, unknown, last = 1, 0, ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        content = _STAMP.sub("", line).strip()
        if label := _LABELED.fullmatch(content):
            last = label[1]
            fields[last] = f"{fields.get(last, '')}\n{label[2] or ''}".lstrip("\n")
        elif content and fields:
            fields[last] += f"\n{content}"  # a secret of several lines
        elif content and not _is_skippable(content, is_before_object=False):
            unknown = unknown or number
        if not content:
            lines = (f"{name}: {value}" for name, value in fields.items())
            if wrote(fields):
                found.append(Item(begin, fields))
            elif not all(_is_skippable(line, is_before_object=False) for line in lines):
                unknown = unknown or begin
            if unknown:
                problem = problem or f"Line {unknown} is neither a finding nor a line of the scanner's log"
            fields, begin, unknown = {}, number + 1, 0
    return Contents(found, problem, is_report=True) if found else None


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
        return Contents(found, f"Line {line} is not a complete row of CSV ({failure})", is_report=True)
    return Contents(found, "", is_report=True)


def _objects(text: str) -> Contents:
    """Return the outermost JSON objects of a text, in arrays or not."""
    found: list[Item] = []
    problem, is_broken = "", False
    decoder = json.JSONDecoder()
    position = depth = 0
    line = 1
    while position < len(text):
        start = text.find("{", position)
        chunks = text[position : len(text) if start < 0 else start].split("\n")
        for number, chunk in enumerate(chunks, line):
            content = chunk.strip(_BETWEEN)
            is_before_object = start >= 0 and number == line + len(chunks) - 1
            if content in ("", "null"):
                depth += chunk.count("[") - chunk.count("]")
            elif not _is_skippable(content, is_before_object=is_before_object):
                problem = problem or f"Line {number} is neither a finding nor a line of the scanner's log"
        line += len(chunks) - 1
        if start < 0:
            break
        # After a broken object, only objects on a single line are read, in bounded time, to identify the scanner.
        here, offset = (text[start : _line_end(text, start)], start) if is_broken else (text, 0)
        try:
            value, end = decoder.raw_decode(here, start - offset)
        except (ValueError, RecursionError):
            problem = problem or f"Line {line} is not a complete JSON object: the report is truncated or damaged"
            is_broken = True
            position = _line_end(text, start)
            continue
        position = offset + end
        found.append(Item(line, value, _is_log(value) or _LOG.search(chunks[-1]) is not None))
        line += text.count("\n", start, position)
    if depth:
        problem = problem or "The report is truncated: a list does not end"
    is_empty = text.strip(f"{_BETWEEN}\n") in ("", "null")
    return Contents(found, problem, is_report=is_empty)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _is_log(value: Mapping[str, Any]) -> bool:
    return "level" in value and not value.keys().isdisjoint({"msg", "message"})


def _is_skippable(content: str, *, is_before_object: bool) -> bool:
    """Return whether a text outside of all objects is a log line, a banner or a prompt, and not a broken finding.

    Any text before an object on the same line is skippable, for example the timestamp of a CI system.
    """
    if ('"' in content and not content.startswith("time=")) or values_in(content):
        return False
    return is_before_object or not re.search(r"\w", content) or _LOG.search(content) is not None
