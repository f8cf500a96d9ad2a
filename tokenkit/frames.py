"""Schemas of listings: the columns, their dtypes, and the conversion from JSON.

Each kind of listing has an Arrow schema here, and every frame is built from an Arrow table with that schema. So the
dtypes are the same in pandas 2.2 and 3, in empty and non-empty listings, and for all sources:

=====================  ===============================  ========================================================
in the schema          in the frame                     why
=====================  ===============================  ========================================================
``string``             ``str`` (``TEXT``)               absent is ``NaN``, distinct from an empty comment
``int64``              ``Int64``                        ids exceed 2**53, so a float would change them
``timestamp ms, UTC``  ``datetime64[ms, UTC]``          the year 9999 does not fit in nanoseconds
``list<string>``       ``object``, of Python lists      the same in cells, rows and files; absent is ``None``
``bool``               ``boolean``                      absent is ``<NA>``
``double``             ``Float64``                      absent is ``<NA>``
=====================  ===============================  ========================================================

**Why Python lists instead of Arrow's list type?** pandas silently converts Arrow lists to other types: rows contain
NumPy arrays, CSV contains ``['a' 'b']``, SQLite contains the addresses of objects, and ``pandas.read_parquet`` cannot
read the file that ``to_parquet`` wrote. A Python list is either preserved or rejected. It costs 90 bytes and 0.3 µs per
token. Each cell has its own list, so a change affects one token only; the texts in the lists are shared.

Fields that the schema does not contain become columns after the known ones, so that a newer server does not break a
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


def _text_dtype() -> Any:  # noqa: ANN401 - its name in pandas-stubs depends on the version
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas 2.2
        return pd.StringDtype("pyarrow_numpy")


TEXT = _text_dtype()
"""The dtype of text in all frames: the ``str`` of pandas 3, which pandas 2.2 has under another name. An absent value is
NaN and compares as False, so a mask from a text column combines with other masks."""

TIME = pa.timestamp("ms", tz="UTC")
TEXTS = pa.list_(pa.string())
IDS = pa.list_(pa.int64())

_ARROW_TYPES = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), float: pa.float64()}


def schema(**types: type | pa.DataType) -> pa.Schema:
    """Return an Arrow schema from the types of its columns, which may be Python's."""
    return pa.schema([(name, _ARROW_TYPES.get(kind, kind)) for name, kind in types.items()])


TOKENS = schema(
    token_id=str,
    comment=str,
    created_by_id=int,
    created_by_username=str,
    owner_id=int,
    creation_time=TIME,
    expiry_time=TIME,
    last_used_day=TIME,
    scopes=TEXTS,
    autoscope_state=str,
    inferred_scopes=TEXTS,
    backfill_scopes=TEXTS,
    workspace_id=int,
)
PERMISSIONS = schema(
    user_name=str,
    group_name=str,
    service_principal_name=str,
    display_name=str,
    permission_level=str,
    inherited=bool,
    inherited_from_object=TEXTS,
)
PERMISSION_LEVELS = schema(permission_level=str, description=str)
USERS = schema(id=int, user_name=str, display_name=str, active=bool, groups=IDS)
SERVICE_PRINCIPALS = schema(id=int, application_id=str, display_name=str, active=bool, groups=IDS)
GROUPS = schema(id=int, display_name=str, members=IDS)

TOKEN_COLUMNS: tuple[str, ...] = tuple(TOKENS.names)


# The last millisecond of the year 9999, the maximum of Python's datetime and of Timestamp.
_MAX_TIME_MS = 253_402_300_799_999
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
    """Return one row per record, with the schema's columns and then any additional fields of the records.

    Times in records are epoch milliseconds. A negative time means "never" (the API sends ``-1``) and becomes NaT. So
    does a ``last_used_day`` of 0; one below 10^6 is in days, and one below 10^11 in seconds. A time after the year 9999
    becomes the last millisecond of that year. Ids can be numbers or decimal strings, the two forms of 64-bit numbers in
    JSON.

    Args:
        records: Decoded JSON objects; any field can be absent or null.
        schema: One of the schemas of this module.

    Returns:
        A frame with a new RangeIndex. Without records it has the same columns and dtypes, but no rows.

    Raises:
        InvalidResponseError: The value of a known field cannot be converted to the type of the field.
    """
    return concat_chunks([arrow_chunk(list(records), schema)], schema)


@dataclasses.dataclass(frozen=True)
class ArrowChunk:
    """Some rows of a future frame. ``concat_chunks`` returns the same frame for any division of the rows into chunks.

    Attributes:
        known: The columns of the schema, with the types of ``as_sent``.
        unknown: The additional fields: Arrow arrays if all values have the same plain type, else lists of the values.
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

    def filter(self, is_kept: npt.NDArray[np.bool_]) -> ArrowChunk:
        """Return the rows where a mask is true."""
        mask = pa.array(is_kept)
        unknown = {
            name: values.filter(mask) if isinstance(values, pa.Array) else list(itertools.compress(values, is_kept))
            for name, values in self.unknown.items()
        }
        return ArrowChunk(self.known.filter(mask), unknown)


def as_sent(schema: pa.Schema) -> pa.Schema:
    """Return a schema with times as integers, as in JSON, and text with the 64-bit offsets that pandas uses."""
    types = {TIME: pa.int64(), pa.string(): pa.large_string()}
    return pa.schema([(field.name, types.get(field.type, field.type)) for field in schema])


def arrow_chunk(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> ArrowChunk:
    """Return decoded JSON objects as a chunk of a frame.

    Raises:
        InvalidResponseError: The value of a known field cannot be converted to the type of the field.
    """
    fields = as_sent(schema)
    known = [_column([row.get(field.name) for row in rows], field.name, field.type) for field in fields]
    names = set(fields.names)
    unknown = {name: None for row in rows for name in row.keys() - names}
    check_fields(unknown)
    columns = {encodable(name): _untyped_column([row.get(name) for row in rows]) for name in unknown}
    return ArrowChunk(pa.table(known, fields), columns)


def check_fields(unknown: Collection[str]) -> None:
    """Check that a listing has no more unknown fields than a newer server would add, as each becomes a column.

    Raises:
        InvalidResponseError: The listing has too many unknown fields.
    """
    if len(unknown) > _MAX_UNKNOWN_FIELDS:
        raise errors.InvalidResponseError(
            f"The workspace sent a listing with {len(unknown):,} unknown fields; the maximum is "
            f"{_MAX_UNKNOWN_FIELDS}. Check that the host is a Databricks workspace."
        )


def concat_chunks(chunks: Sequence[ArrowChunk], schema: pa.Schema) -> pd.DataFrame:
    """Return chunks as one frame, in their order; see ``frame``."""
    sent = pa.concat_tables([as_sent(schema).empty_table(), *(chunk.known for chunk in chunks)])
    frame = pd.DataFrame(
        {
            field.name: _in_pandas(_as_times(sent[field.name], field.name) if field.type == TIME else sent[field.name])
            for field in schema
        },
        copy=False,
    )
    unknown = sorted({name for chunk in chunks for name in chunk.unknown})
    check_fields(unknown)
    for name in unknown:
        values = _concat_unknown([chunk.unknown.get(name, pa.nulls(len(chunk))) for chunk in chunks])
        frame[encodable(name)] = (
            pd.Series(values, dtype=object) if isinstance(values, list) else to_pandas(pa.table({name: values}))
        )
    return frame


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame with the dtypes of this module."""
    # Table.to_pandas with a types_mapper takes twice as long for a short table.
    columns = {name: _in_pandas(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return pd.DataFrame(columns, copy=False)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table without pandas metadata, for Spark, DuckDB or a file.

    Columns of a listing have the types of ``TOKENS``, even if they are empty and Arrow cannot infer a type.
    """
    return plain(pa.Table.from_pandas(frame, preserve_index=False)).replace_schema_metadata()


def plain(table: pa.Table) -> pa.Table:
    """Return a table with the types of ``TOKENS`` for columns of a listing, and text with 32-bit offsets."""
    return table.cast(pa.schema([_plain(field) for field in table.schema], table.schema.metadata))


def _plain(field: pa.Field) -> pa.Field:
    if field.name in TOKENS.names:
        return TOKENS.field(field.name)
    return pa.field(field.name, pa.string()) if pa.types.is_large_string(field.type) else field


def _in_pandas(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - a pandas array or a Series
    if pa.types.is_list(column.type):
        return lists(column)
    return _DTYPES[column.type].__from_arrow__(column) if column.type in _DTYPES else column.to_pandas()


def lists(array: pa.ListArray | pa.ChunkedArray) -> pd.Series[Any]:
    """Return Arrow lists as a column of Python lists, a separate one for each cell."""
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return pd.Series(np.concatenate([np.empty(0, object), *map(_python_lists, chunks)]), dtype=object)


def _python_lists(chunk: pa.ListArray) -> npt.NDArray[np.object_]:
    """Return the Python lists of a chunk; equal elements share one object."""
    if chunk.null_count == len(chunk):
        return np.full(len(chunk), None)
    elements = chunk.flatten().dictionary_encode("encode")
    flat = np.array(elements.dictionary.to_pylist(), object)[elements.indices].tolist()
    ends = np.cumsum(pc.fill_null(chunk.value_lengths(), 0)).tolist()
    with _gc_disabled():
        cells = np.fromiter(map(flat.__getitem__, map(slice, [0, *ends], ends)), object, len(chunk))
    cells[chunk.is_null()] = None
    return cells


@contextlib.contextmanager
def _gc_disabled() -> Iterator[None]:
    """Disable the garbage collector, which would repeatedly scan many new objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def concat(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames and preserve their dtypes.

    If a frame is empty, or a column is missing or empty, ``pandas.concat`` guesses a dtype that depends on its version.
    Here a column has the common dtype of the frames that have values in it. If they have no common dtype (a field that
    a newer server added), the values are kept as objects.

    Args:
        parts: At least one frame. The columns are those of the first frame, then additional columns of the others.

    Returns:
        A frame with a new RangeIndex.
    """
    part_dtypes = [dict(part.dtypes) for part in parts]
    if all(list(dtypes.items()) == list(part_dtypes[0].items()) for dtypes in part_dtypes):
        return pd.concat(parts, ignore_index=True)
    columns = dict.fromkeys(name for dtypes in part_dtypes for name in dtypes)
    shared = {name: _shared_dtype([part[name] for part in parts if name in part]) for name in columns}
    return pd.concat([_with_columns(part, shared) for part in parts], ignore_index=True)


def _shared_dtype(columns: Sequence[pd.Series[Any]]) -> Any:  # noqa: ANN401 - dtypes of NumPy and pandas
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


def _column(values: list[Any], name: str, arrow_type: pa.DataType) -> pa.Array:
    # Errors of Arrow quote values, so they must not become the context of an error of tokenkit.
    with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError):
        if not _is_altered(values, arrow_type):
            return pa.array(values, arrow_type)
    return pa.array([_coerced(value, name, arrow_type) for value in values], arrow_type)


def _is_altered(values: list[Any], arrow_type: pa.DataType) -> bool:
    """Return whether Arrow would convert values to others: a text to a list of its characters, 1.5 to 1."""
    types = {*map(type, values)}
    if arrow_type == pa.int64():
        return float in types
    has_fraction = arrow_type == IDS and any(float in map(type, value) for value in values if isinstance(value, list))
    return has_fraction or (pa.types.is_list(arrow_type) and str in types)


def _as_times(milliseconds: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return epoch milliseconds as UTC timestamps, "never" as null."""
    minimum = 1 if name == "last_used_day" else 0  # 0 would be a use in 1970
    kept = pc.if_else(pc.less(milliseconds, minimum), pa.scalar(None, pa.int64()), milliseconds)
    if name == "last_used_day":
        # A server may send days or seconds. Read as milliseconds, the token would appear unused since 1970.
        kept = pc.multiply(kept, pc.if_else(pc.less(kept, 10**6), _DAY_MS, pc.if_else(pc.less(kept, 10**11), 1000, 1)))
    return pc.min_element_wise(kept, pa.scalar(_MAX_TIME_MS), skip_nulls=False).cast(TIME)


def _coerced(value: Any, name: str, arrow_type: pa.DataType) -> Any:  # noqa: ANN401 - JSON in, Arrow out
    """Convert a value that is not in the expected form; only used if the conversion of the whole column failed."""
    if value is None:
        return None
    if arrow_type == pa.large_string():
        return encodable(value if isinstance(value, str) else str(value))
    if arrow_type == pa.int64():
        return _integer(value, name)
    if arrow_type == pa.bool_() and str(value).lower() in {"true", "false"}:
        return str(value).lower() == "true"
    if isinstance(value, list) and arrow_type == TEXTS:
        return [None if item is None else encodable(str(item)) for item in value]
    if isinstance(value, list) and arrow_type == IDS:
        return [None if item is None else _integer(item, name) for item in value]
    raise errors.InvalidResponseError(f"The workspace sent a value of {name!r} that is not of type {arrow_type}.")


def _integer(value: Any, name: str) -> int:  # noqa: ANN401 - JSON in
    is_text = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value)
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    number = int(value) if is_text or is_whole else 2**63
    if not -(2**63) <= number < 2**63:
        raise errors.InvalidResponseError(f"The workspace sent a value of {name!r} that is not a 64-bit integer.")
    return number


def encodable(text: str) -> str:
    """Replace half surrogate pairs, which JSON can contain and UTF-8 cannot encode."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_MAX_UNKNOWN_FIELDS = 256

PLAIN: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
"""The JSON types for which an unknown field becomes a typed column."""


def _untyped_column(values: list[Any]) -> pa.Array | list[Any]:
    """Return an unknown field as an Arrow array if all values have the same plain type, else the values."""
    types = {type(value) for value in values if value is not None}
    if not types:
        return pa.nulls(len(values))
    if len(types) == 1 and (arrow_type := PLAIN.get(next(iter(types)))) is not None:
        with contextlib.suppress(pa.ArrowInvalid, UnicodeEncodeError, OverflowError):
            return pa.array(values, arrow_type)
    return values


def _concat_unknown(parts: Sequence[pa.Array | list[Any]]) -> pa.ChunkedArray | pa.Array | list[Any]:
    """Concatenate the parts of an unknown field; the result does not depend on the division into parts."""
    arrays = [part for part in parts if isinstance(part, pa.Array)]
    types = {part.type for part in arrays} - {pa.null()}
    if len(types) == 1 and len(arrays) == len(parts):
        return pa.chunked_array([part.cast(*types) for part in arrays])
    return _untyped_column(
        [value for part in parts for value in (part if isinstance(part, list) else part.to_pylist())]
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TokenInfo:  # noqa: PLW1641 - it contains lists
    """The data of one token, without its value.

    The attributes have the names of the API. Times are UTC timestamps, or ``NaT`` for never or absent; other absent
    values are None. ``extra`` contains the unknown fields of a newer server, unchanged.
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
        # Tuples compare by identity first. NaT does not equal itself.
        return tuple(vars(self).values()) == tuple(vars(other).values())

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TokenInfo:
        """Return a token from a JSON object, with the conversions of a listing.

        Args:
            document: The decoded object. Unknown fields are added to ``extra``.

        Raises:
            InvalidResponseError: The value of a known field cannot be converted to the type of the field.
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
        """Return the JSON object of the API: times as epoch milliseconds, without absent values."""
        document: dict[str, Any] = {}
        for name in TOKENS.names:
            value = getattr(self, name)
            if isinstance(value, pd.Timestamp):
                value = int(value.as_unit("ms").asm8.view("i8"))  # .value overflows after the year 2262
            if isinstance(value, list) or (value is not None and not pd.isna(value)):
                document[name] = value
        return document | dict(self.extra)


_ID_FIELDS = tuple(field.name for field in TOKENS if field.type == pa.int64())
