"""What a listing looks like: the columns, their dtypes, and how JSON becomes them.

Each kind of listing has one Arrow schema here, and every frame is built from an Arrow table of that schema. So the
dtypes are the same on pandas 2.2 and 3, the same for an empty answer as for a full one, and the same whoever filled the
table:

=====================  ===============================  ========================================================
in the schema          in the frame                     why
=====================  ===============================  ========================================================
``string``             ``str`` (``TEXT``)               absent is ``NaN``, told apart from an empty comment
``int64``              ``Int64``                        ids exceed 2**53, so a float would change them
``timestamp ms, UTC``  ``datetime64[ms, UTC]``          the year 9999 does not fit in nanoseconds
``list<string>``       ``object``, of Python lists      a list in every cell, row and file; absent is ``None``
``bool``               ``boolean``                      absent is ``<NA>``
``double``             ``Float64``                      likewise
=====================  ===============================  ========================================================

**Why Python lists, and not a list type of Arrow's?** pandas hands such a type on in silence as something else: rows
hold NumPy arrays, CSV ``['a' 'b']``, SQLite the addresses of objects, and ``pandas.read_parquet`` cannot read the file
that ``to_parquet`` wrote. A Python list arrives everywhere, or is refused. It costs 90 bytes and 0.3 µs a token. Each
cell has a list of its own, so to change one changes no other token's; their texts are shared.

A field that the schema does not know is kept, as a column after the known ones: a newer server must never break a
listing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors


def _text_dtype() -> Any:  # noqa: ANN401 - what pandas-stubs calls it depends on the version
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas 2.2
        return pd.StringDtype("pyarrow_numpy")


TEXT = _text_dtype()
"""What text is in every frame: the ``str`` of pandas 3, which 2.2 has under another name. Absent is NaN and compares as
False, so a mask made of text combines with every other."""

TIME = pa.timestamp("ms", tz="UTC")
TEXTS = pa.list_(pa.string())
IDS = pa.list_(pa.int64())

TOKENS = pa.schema(
    [
        ("token_id", pa.string()),
        ("comment", pa.string()),
        ("created_by_id", pa.int64()),
        ("created_by_username", pa.string()),
        ("owner_id", pa.int64()),
        ("creation_time", TIME),
        ("expiry_time", TIME),
        ("last_used_day", TIME),
        ("scopes", TEXTS),
        ("autoscope_state", pa.string()),
        ("inferred_scopes", TEXTS),
        ("backfill_scopes", TEXTS),
        ("workspace_id", pa.int64()),
    ]
)
PERMISSIONS = pa.schema(
    [
        ("user_name", pa.string()),
        ("group_name", pa.string()),
        ("service_principal_name", pa.string()),
        ("display_name", pa.string()),
        ("permission_level", pa.string()),
        ("inherited", pa.bool_()),
        ("inherited_from_object", TEXTS),
    ]
)
PERMISSION_LEVELS = pa.schema([("permission_level", pa.string()), ("description", pa.string())])
USERS = pa.schema(
    [
        ("id", pa.int64()),
        ("user_name", pa.string()),
        ("display_name", pa.string()),
        ("active", pa.bool_()),
        ("groups", IDS),
    ]
)
SERVICE_PRINCIPALS = pa.schema(
    [
        ("id", pa.int64()),
        ("application_id", pa.string()),
        ("display_name", pa.string()),
        ("active", pa.bool_()),
        ("groups", IDS),
    ]
)
GROUPS = pa.schema([("id", pa.int64()), ("display_name", pa.string()), ("members", IDS)])

TOKEN_COLUMNS: tuple[str, ...] = tuple(TOKENS.names)


# The last millisecond of the year 9999. Python's own datetime, and so a Timestamp, goes no further.
_LAST_MOMENT_MS = 253_402_300_799_999
_DAY_MS = 86_400_000
_DTYPES: dict[pa.DataType, Any] = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.float64(): pd.Float64Dtype(),
    TIME: pd.DatetimeTZDtype("ms", "UTC"),
}


def frame(records: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pd.DataFrame:
    """Return one row for each record, with the schema's columns and then any field that a record had beyond them.

    Times are epoch milliseconds in the records. A negative one means "never" (the API writes ``-1``) and becomes NaT; a
    ``last_used_day`` of 0 does too; one below 10^6 is in days, one below 10^11 in seconds. A time after the year 9999
    becomes its last millisecond. Ids may be numbers or decimal strings, as JSON of 64-bit numbers comes in both forms.

    Args:
        records: Decoded JSON objects; any field may be absent or null.
        schema: One of this module's schemas.

    Returns:
        A frame with a fresh RangeIndex. No records give the same columns and dtypes with no rows.

    Raises:
        MalformedAnswerError: A known field holds what cannot be read as its type.
    """
    return joined([piece(list(records), schema)], schema)


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some rows of a frame to be. However rows are cut into pieces, ``joined`` gives the same frame.

    Attributes:
        known: The columns of a schema ``as_sent``.
        unknown: The fields beyond it: Arrow where all values are of one plain type, else the values as they came.
    """

    known: pa.Table
    unknown: Mapping[str, pa.Array | list[Any]]

    def __len__(self) -> int:
        return int(self.known.num_rows)

    def row(self, index: int) -> dict[str, Any]:
        """Return one row as a record."""
        unknown = {name: values[index] for name, values in self.unknown.items()}
        plain = {name: value.as_py() if isinstance(value, pa.Scalar) else value for name, value in unknown.items()}
        return self.known.slice(index, 1).to_pylist()[0] | plain

    def filter(self, is_kept: npt.NDArray[np.bool_]) -> Piece:
        """Return the rows for which a mask is true."""
        mask = pa.array(is_kept)
        unknown = {
            name: values.filter(mask) if isinstance(values, pa.Array) else list(itertools.compress(values, is_kept))
            for name, values in self.unknown.items()
        }
        return Piece(self.known.filter(mask), unknown)


def as_sent(schema: pa.Schema) -> pa.Schema:
    """Return a schema with times as they are in JSON, in milliseconds, and text with the long offsets of pandas."""
    forms = {TIME: pa.int64(), pa.string(): pa.large_string()}
    return pa.schema([(field.name, forms.get(field.type, field.type)) for field in schema])


def piece(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> Piece:
    """Return decoded JSON objects as a piece of a frame.

    Raises:
        MalformedAnswerError: A known field holds what cannot be read as its type.
    """
    fields = as_sent(schema)
    known = [_column([row.get(field.name) for row in rows], field.name, field.type) for field in fields]
    names = set(fields.names)
    unknown = {name: None for row in rows for name in row.keys() - names}
    check_fields(unknown)
    columns = {encodable(name): _typed([row.get(name) for row in rows]) for name in unknown}
    return Piece(pa.table(known, fields), columns)


def check_fields(unknown: Collection[str]) -> None:
    """Refuse a listing with more fields than a newer server would add; each is a column of every row.

    Raises:
        MalformedAnswerError: There are too many.
    """
    if len(unknown) > _MOST_UNKNOWN_FIELDS:
        raise errors.MalformedAnswerError(
            f"The workspace sent a listing with {len(unknown):,} fields that are not known; more than "
            f"{_MOST_UNKNOWN_FIELDS} are not read. Check that the host is a Databricks workspace."
        )


def joined(pieces: Sequence[Piece], schema: pa.Schema) -> pd.DataFrame:
    """Return pieces as one frame, in their order; ``frame`` says what it is like."""
    sent = pa.concat_tables([as_sent(schema).empty_table(), *(each.known for each in pieces)])
    frame = pd.DataFrame(
        {
            field.name: _in_pandas(_moments(sent[field.name], field.name) if field.type == TIME else sent[field.name])
            for field in schema
        },
        copy=False,
    )
    unknown = sorted({name for each in pieces for name in each.unknown})
    check_fields(unknown)
    for name in unknown:
        values = _united([each.unknown.get(name, pa.nulls(len(each))) for each in pieces])
        frame[encodable(name)] = (
            pd.Series(values, dtype=object) if isinstance(values, list) else to_pandas(pa.table({name: values}))
        )
    return frame


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame with this module's dtypes."""
    # As Table.to_pandas with a types_mapper, which takes twice the time for a short table.
    columns = {name: _in_pandas(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return pd.DataFrame(columns, copy=False)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table without what is pandas' own, for Spark, DuckDB or a file.

    A column of a listing is what it is in ``TOKENS`` even where it holds nothing, of which Arrow knows no type.
    """
    return plain(pa.Table.from_pandas(frame, preserve_index=False)).replace_schema_metadata()


def plain(table: pa.Table) -> pa.Table:
    """Return a table whose columns of a listing are as in ``TOKENS``, and whose texts have short offsets."""
    return table.cast(pa.schema([_plain(field) for field in table.schema], table.schema.metadata))


def _plain(field: pa.Field) -> pa.Field:
    if field.name in TOKENS.names:
        return TOKENS.field(field.name)
    return pa.field(field.name, pa.string()) if pa.types.is_large_string(field.type) else field


def _in_pandas(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - an array of pandas' or a Series
    if pa.types.is_list(column.type):
        return lists(column)
    return _DTYPES[column.type].__from_arrow__(column) if column.type in _DTYPES else column.to_pandas()


def lists(array: pa.ListArray | pa.ChunkedArray) -> pd.Series[Any]:
    """Return Arrow's lists as a column of Python's, of which each cell has one of its own."""
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return pd.Series(np.concatenate([np.empty(0, object), *map(_python_lists, chunks)]), dtype=object)


def _python_lists(chunk: pa.ListArray) -> npt.NDArray[np.object_]:
    """Return a chunk of them; what is alike in the lists is one object."""
    if chunk.null_count == len(chunk):
        return np.full(len(chunk), None)
    elements = chunk.flatten().dictionary_encode("encode")
    flat = np.array(elements.dictionary.to_pylist(), object)[elements.indices].tolist()
    ends = np.cumsum(pc.fill_null(chunk.value_lengths(), 0)).tolist()
    with _uncollected():
        cells = np.fromiter(map(flat.__getitem__, map(slice, [0, *ends], ends)), object, len(chunk))
    cells[chunk.is_null()] = None
    return cells


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Make many objects without the garbage collector, which would look through all of them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def concat(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of frames one after the other, every dtype kept.

    ``pandas.concat`` guesses where a frame is empty, a column is missing or holds nothing, and the guess depends on its
    version. Here a column has the dtype that the frames with values in it agree on; where they do not (a field that a
    newer server added), its values are kept as they are.

    Args:
        parts: At least one frame. The columns are those of the first, then what others have beyond it.

    Returns:
        A frame with a fresh RangeIndex.
    """
    kinds = [dict(part.dtypes) for part in parts]
    if all(list(each.items()) == list(kinds[0].items()) for each in kinds):
        return pd.concat(parts, ignore_index=True)
    columns = dict.fromkeys(name for each in kinds for name in each)
    dtypes = {name: _shared_dtype([part[name] for part in parts if name in part]) for name in columns}
    alike = [_with_columns(part, dtypes) for part in parts]
    return pd.concat(alike, ignore_index=True)


def _shared_dtype(columns: Sequence[pd.Series[Any]]) -> Any:  # noqa: ANN401 - numpy's and pandas' dtypes share no type
    first = columns[0].dtype
    if all(column.dtype == first for column in columns):
        return first
    filled = {column.dtype for column in columns if column.notna().any()}
    return filled.pop() if len(filled) == 1 else object


def _with_columns(part: pd.DataFrame, dtypes: Mapping[Any, Any]) -> pd.DataFrame:
    wanted = {
        name: part[name].astype(dtype) if name in part else pd.Series([None] * len(part), part.index, dtype)
        for name, dtype in dtypes.items()
        if name not in part or part[name].dtype != dtype
    }
    return part.assign(**wanted)[list(dtypes)] if wanted or list(part.columns) != list(dtypes) else part


def _column(values: list[Any], name: str, kind: pa.DataType) -> pa.Array:
    # Arrow would take a text for a list of its letters.
    letters = pa.types.is_list(kind) and any(isinstance(value, str) for value in values)
    # What Arrow raises quotes values, so no error of ours may have it as its context.
    with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError):
        if not letters:
            return pa.array(values, kind)
    return pa.array([_coerced(value, name, kind) for value in values], kind)


def _moments(milliseconds: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return epoch milliseconds as UTC timestamps, "never" as null."""
    first = 1 if name == "last_used_day" else 0  # 0 would be a use in 1970
    kept = pc.if_else(pc.less(milliseconds, first), pa.scalar(None, pa.int64()), milliseconds)
    if name == "last_used_day":
        # A day may well be counted in days, or in seconds: read as milliseconds it would be 1970, and the token unused.
        kept = pc.multiply(kept, pc.if_else(pc.less(kept, 10**6), _DAY_MS, pc.if_else(pc.less(kept, 10**11), 1000, 1)))
    return pc.min_element_wise(kept, pa.scalar(_LAST_MOMENT_MS), skip_nulls=False).cast(TIME)


def _coerced(value: Any, name: str, kind: pa.DataType) -> Any:  # noqa: ANN401 - JSON in, Arrow out
    """Read a value that did not come in the expected form; only reached when a whole column did not convert."""
    if value is None:
        return None
    if kind == pa.large_string():
        return encodable(value if isinstance(value, str) else str(value))
    if kind == pa.int64():
        return _integer(value, name)
    if kind == pa.bool_() and str(value).lower() in {"true", "false"}:
        return str(value).lower() == "true"
    if isinstance(value, list) and kind == TEXTS:
        return [None if item is None else encodable(str(item)) for item in value]
    if isinstance(value, list) and kind == IDS:
        return [None if item is None else _integer(item, name) for item in value]
    raise errors.MalformedAnswerError(f"The workspace sent a {name} that cannot be read as {kind}.")


def _integer(value: Any, name: str) -> int:  # noqa: ANN401 - JSON in
    is_written = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value)
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    number = int(value) if is_written or is_whole else 2**63
    if not -(2**63) <= number < 2**63:
        raise errors.MalformedAnswerError(f"The workspace sent a {name} that is not a 64-bit number.")
    return number


def encodable(text: str) -> str:
    """Replace half a surrogate pair, which JSON can spell and UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_MOST_UNKNOWN_FIELDS = 256

PLAIN: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
"""The types of JSON that a field of which nothing is known has a column of its own for."""


def _typed(values: list[Any]) -> pa.Array | list[Any]:
    """Return a field of which nothing is known: typed where all values are of one plain type, else the values."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.nulls(len(values))
    if len(kinds) == 1 and (kind := PLAIN.get(next(iter(kinds)))) is not None:
        try:
            return pa.array(values, kind)
        except (pa.ArrowInvalid, UnicodeEncodeError, OverflowError):
            pass
    return values


def _united(parts: Sequence[pa.Array | list[Any]]) -> pa.ChunkedArray | pa.Array | list[Any]:
    """Return the parts of such a field as they would be if they had come together."""
    arrays = [part for part in parts if isinstance(part, pa.Array)]
    kinds = {part.type for part in arrays} - {pa.null()}
    if len(kinds) == 1 and len(arrays) == len(parts):
        return pa.chunked_array([part.cast(*kinds) for part in arrays])
    return _typed([value for part in parts for value in (part if isinstance(part, list) else part.to_pylist())])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TokenInfo:  # noqa: PLW1641 - it holds lists
    """What the workspace knows of one token; its value is not among it.

    Attributes are named as on the wire. Times are UTC Timestamps, ``NaT`` for never or not said; everything else that
    was not said is None. ``extra`` holds fields that a newer server added, as they came.
    """

    token_id: str | None = None
    comment: str | None = None
    created_by_id: int | None = None
    created_by_username: str | None = None
    owner_id: int | None = None
    creation_time: pd.Timestamp = dataclasses.field(default=cast("pd.Timestamp", pd.NaT))
    expiry_time: pd.Timestamp = dataclasses.field(default=cast("pd.Timestamp", pd.NaT))
    last_used_day: pd.Timestamp = dataclasses.field(default=cast("pd.Timestamp", pd.NaT))
    scopes: list[str] | None = None
    autoscope_state: str | None = None
    inferred_scopes: list[str] | None = None
    backfill_scopes: list[str] | None = None
    workspace_id: int | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenInfo):
            return NotImplemented
        # As tuples, which take what is the same object for equal: NaT equals nothing, not even itself.
        return tuple(vars(self).values()) == tuple(vars(other).values())

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TokenInfo:
        """Return what one JSON object says of a token, by the rules of a listing.

        Args:
            document: The decoded object; fields that are not known go to ``extra``.

        Raises:
            MalformedAnswerError: A known field holds what cannot be read as its type.
        """
        known = {name: value for name, value in document.items() if name in TOKENS.names}
        row = frame([known], TOKENS)
        fields: dict[str, Any] = {}
        for name in TOKENS.names:
            value = row[name].iloc[0]
            is_text_list = isinstance(value, list)
            fields[name] = value if is_text_list or not pd.isna(value) or TOKENS.field(name).type == TIME else None
        fields |= {name: int(fields[name]) for name in _ID_FIELDS if fields[name] is not None}
        return cls(**fields, extra={name: value for name, value in document.items() if name not in TOKENS.names})

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object for the wire: times as epoch milliseconds, what was not said left out."""
        document: dict[str, Any] = {}
        for name in TOKENS.names:
            value = getattr(self, name)
            if isinstance(value, pd.Timestamp):
                value = int(value.as_unit("ms").asm8.view("i8"))  # .value would overflow after the year 2262
            if isinstance(value, list) or (value is not None and not pd.isna(value)):
                document[name] = value
        return document | dict(self.extra)


_ID_FIELDS = tuple(field.name for field in TOKENS if field.type == pa.int64())
