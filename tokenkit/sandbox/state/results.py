"""The result of a statement in the forms of the Statement Execution API: columns, and chunks of JSON, Arrow or CSV."""

from __future__ import annotations

import base64
import bisect
import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_ARRAY, ARROW_STREAM, CSV = "JSON_ARRAY", "ARROW_STREAM", "CSV"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a statement.

    Attributes:
        columns: The name and type of each column.
        chunks: The rows of each chunk, in the format that the statement asked for.
        row_counts: The number of rows of each chunk.
        is_truncated: Whether it lacks rows.
    """

    columns: list[dict[str, Any]]
    chunks: list[bytes]
    row_counts: list[int]
    is_truncated: bool


def cut(table: Any, row_limit: int | None, byte_limit: int | None) -> Any:  # noqa: ANN401 - an Arrow table
    """Return the first rows of an Arrow table, as many as both limits allow."""
    if row_limit is not None:
        table = table.slice(0, row_limit)
    if byte_limit is None or table.nbytes <= byte_limit:
        return table
    counts = range(1, table.num_rows)
    return table.slice(0, bisect.bisect(counts, byte_limit, key=lambda count: table.slice(0, count).nbytes))


def result_of(table: Any, kind: str, *, chunk_bytes: int, is_truncated: bool) -> Result:  # noqa: ANN401 - an Arrow table
    """Return an Arrow table as a result in a format."""
    rows_per_chunk = max(1, table.num_rows * chunk_bytes // max(table.nbytes, 1))
    parts = [table.slice(start, rows_per_chunk) for start in range(0, max(table.num_rows, 1), rows_per_chunk)]
    if kind == CSV:
        chunks = [_as_csv(part, has_header=n == 0) for n, part in enumerate(parts)]
    else:
        chunks = [_as_arrow(part) if kind == ARROW_STREAM else _as_json(part) for part in parts]
    columns = [{"name": field.name, **_described(field.type), "position": n} for n, field in enumerate(table.schema)]
    return Result(columns, chunks, [part.num_rows for part in parts], is_truncated)


def _as_arrow(table: Any) -> bytes:  # noqa: ANN401 - an Arrow table
    import pyarrow as pa  # noqa: PLC0415 - as the engine

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _as_json(table: Any) -> bytes:  # noqa: ANN401 - an Arrow table
    return json.dumps([*_rows(table)], separators=(",", ":")).encode()


def _as_csv(table: Any, *, has_header: bool) -> bytes:  # noqa: ANN401 - an Arrow table
    written = io.StringIO()
    writer = csv.writer(written)
    if has_header:
        writer.writerow(table.schema.names)
    writer.writerows(["null" if text is None else text for text in row] for row in _rows(table))
    return written.getvalue().encode()


def _rows(table: Any) -> Iterator[list[str | None]]:  # noqa: ANN401 - an Arrow table
    """Return the texts of each row. Columns can have the same name."""
    columns = [[_text(value) for value in column.to_pylist()] for column in table.columns]
    return map(list, zip(*columns, strict=True))


def _text(value: Any) -> str | None:  # noqa: ANN401 - a value of SQL
    """Return a value as the text of a JSON result."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, default=_text)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "isoformat"):
        text = str(value.isoformat(timespec="milliseconds") if hasattr(value, "hour") else value.isoformat())
        return text.replace("+00:00", "Z")
    return str(value)


_TYPES = {
    "null": ("NULL", "VOID"),
    "bool": ("BOOLEAN", "BOOLEAN"),
    "int8": ("BYTE", "TINYINT"),
    "int16": ("SHORT", "SMALLINT"),
    "int32": ("INT", "INT"),
    "int64": ("LONG", "BIGINT"),
    "float": ("FLOAT", "FLOAT"),
    "double": ("DOUBLE", "DOUBLE"),
    "date32": ("DATE", "DATE"),
    "timestamp": ("TIMESTAMP", "TIMESTAMP"),
    "month_day_nano_interval": ("INTERVAL", "INTERVAL"),
    "binary": ("BINARY", "BINARY"),
    "string": ("STRING", "STRING"),
}
"""The name and the SQL of each type of Arrow, in Databricks. Other types are texts."""


def _described(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - an Arrow type
    """Return an Arrow type as the API describes it."""
    base = re.split(r"[<\[(]", str(kind), maxsplit=1)[0].removeprefix("large_")
    if base == "decimal128":
        text = f"DECIMAL({kind.precision},{kind.scale})"
        return {
            "type_name": "DECIMAL",
            "type_text": text,
            "type_precision": kind.precision,
            "type_scale": kind.scale,
        }
    if base == "list":
        return {"type_name": "ARRAY", "type_text": f"ARRAY<{_type_text(kind.value_type)}>"}
    if base == "map":
        return {"type_name": "MAP", "type_text": f"MAP<{_type_text(kind.key_type)}, {_type_text(kind.item_type)}>"}
    if base == "struct":
        fields = ", ".join(f"{field.name}: {_type_text(field.type)}" for field in kind)
        return {"type_name": "STRUCT", "type_text": f"STRUCT<{fields}>"}
    name, text = _TYPES.get(base, _TYPES["string"])
    return {"type_name": name, "type_text": text}


def _type_text(kind: Any) -> str:  # noqa: ANN401 - an Arrow type
    return str(_described(kind)["type_text"])
