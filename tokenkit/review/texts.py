"""Functions over columns of text. They run in Arrow, so a million rows take one call and no Python loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.core.redaction import CREDENTIAL, INVISIBLE, REDACTED, SECRET, redact

_STRING = pa.string()
_LISTS = frozenset(field.name for field in frames.TOKENS if field.type == frames.TEXTS)


def concat_columns(*parts: str | pd.Series[Any]) -> pd.Series[str]:
    """Return a text for each row, concatenated from constants and columns. Numbers are truncated to integers.

    "1 days" becomes "1 day".
    """
    index = next(part.index for part in parts if isinstance(part, pd.Series))
    arrays = [pa.scalar(part) if isinstance(part, str) else _as_text(part) for part in parts]
    concatenated = pc.binary_join_element_wise(*arrays, pa.scalar(""))
    return series(pc.replace_substring_regex(concatenated, r"(^|[^\d.,])1 days\b", r"\11 day"), index)


def appended(
    texts: pd.Series[str], more: str | pd.Series[str], *, where: pd.Series[bool], separator: str
) -> pd.Series[str]:
    """Return texts with another one behind them in some rows, after a separator unless the text was empty."""
    return texts.mask(where & (texts != ""), texts + separator + more).mask(where & (texts == ""), more)


def tenths(numbers: pd.Series[float]) -> pd.Series[str]:
    """Return numbers as text, with one decimal unless it is 0."""
    return series(pc.cast(pa.array(numbers.to_numpy(dtype=float).round(1)), pa.string()), numbers.index)


def repeated(text: str | None, index: pd.Index) -> pd.Series[str]:
    """Return the same text, or a missing one, for each row."""
    return series(pa.repeat(pa.scalar(text, _STRING), len(index)), index)


def lengths(lists: pd.Series[Any]) -> pd.Series[int]:
    """Return the length of each list, 0 for a missing one."""
    # Not pandas' list.len, which loses the index in 2.2.
    return pd.Series(pc.fill_null(pc.list_value_length(array(lists, frames.TEXTS)), 0).to_numpy(), lists.index)


def join_lists(lists: pd.Series[Any]) -> pd.Series[str]:
    """Return the texts of each list, joined by commas."""
    return series(pc.binary_join(array(lists, frames.TEXTS), ", "), lists.index)


def redacted(texts: pd.Series[str]) -> pd.Series[str]:
    """Return texts redacted as by ``redaction.redact``."""
    pattern, shown = f"(?i){CREDENTIAL}", rf"\1\2{REDACTED}"
    found = _map_distinct(texts, lambda found: pc.replace_substring_regex(_unhidden(found, pattern), pattern, shown))
    return series(found, texts.index)


def written(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that can be saved: texts, also in lists and objects, and column names are redacted."""
    columns = _redacted_together({str(name): frame[name] for name in frame if frame[name].dtype == frames.TEXT})
    for name in [name for name in frame if frame[name].dtype == object]:
        column = frame[name]
        columns[str(name)] = (
            _redacted_lists(column) if name in _LISTS else column.map(_redacted_value, na_action="ignore")
        )
    names: list[str] = []
    for name in map(redact, map(str, frame.columns)):
        names.append(name if name not in names else f"{name} {len(names)}")
    return frame.assign(**columns).set_axis(names, axis="columns")


def _redacted_together(columns: Mapping[str, pd.Series[str]]) -> dict[str, pd.Series[str]]:
    """Return columns of one frame redacted. All are searched at once: to compile the pattern takes a millisecond."""
    if not columns:
        return {}
    together = redacted(pd.concat(list(columns.values()), ignore_index=True))
    rows = len(together) // len(columns)
    return {
        name: together.iloc[number * rows : (number + 1) * rows].set_axis(column.index)
        for number, (name, column) in enumerate(columns.items())
    }


def _redacted_lists(lists: pd.Series[Any]) -> pd.Series[Any]:
    distinct = pc.unique(pc.list_flatten(array(lists, frames.TEXTS))).to_pylist()
    changed = {text: shown for text in distinct if text and (shown := redact(text)) != text}
    return lists.map(lambda row: [changed.get(text, text) for text in row], na_action="ignore") if changed else lists


def _redacted_value(value: Any) -> Any:  # noqa: ANN401 - JSON, of a field that this version does not know
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted_value(item) for item in value]
    if isinstance(value, dict):
        return {redact(str(name)): _redacted_value(item) for name, item in value.items()}
    return value


def holding_secrets(texts: pd.Series[str]) -> pd.Series[bool]:
    """Return which texts contain a secret of a known form."""
    pattern = f"(?i){SECRET}"
    return flag_texts(texts, lambda found: pc.match_substring_regex(_unhidden(found, pattern), pattern))


def flag_texts(texts: pd.Series[str], predicate: Callable[[pa.Array], pa.Array]) -> pd.Series[bool]:
    """Return the result of a predicate for each text. It is evaluated once per distinct text."""
    return pd.Series(mask(_map_distinct(texts, predicate)), texts.index, dtype=bool)


def series(texts: pa.Array, index: pd.Index) -> pd.Series[str]:
    """Return an Arrow array as a column."""
    return pd.Series(frames.TEXT.__from_arrow__(pa.chunked_array([texts])), index=index)


def array(column: pd.Series[Any], kind: pa.DataType = _STRING) -> pa.Array:
    """Return a column as one Arrow array."""
    found = pa.array(column.array, kind, from_pandas=True)
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    return found.cast(kind)  # pyarrow 15 ignores the type if pandas creates the array


def mask(hits: pa.Array) -> np.ndarray:
    """Return an Arrow array of booleans as numpy's, with False for null."""
    return pc.fill_null(hits, fill_value=False).to_numpy(zero_copy_only=False)


def members(lists: pd.Series[Any]) -> tuple[np.ndarray, pa.Array]:
    """Return the texts of all lists in one array, and the position of the list that each text is from."""
    found = array(lists, frames.TEXTS)
    return pc.list_parent_indices(found).to_numpy(), pc.list_flatten(found)


def _map_distinct(texts: pd.Series[str], function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return a function of each text, evaluated once per distinct text: comments and evidence repeat often."""
    encoded = pc.dictionary_encode(array(texts), null_encoding="encode")
    return function(encoded.dictionary).take(encoded.indices)


def _unhidden(texts: pa.Array, pattern: str) -> pa.Array:
    """Return texts without invisible characters, if these would hide a match of the pattern."""
    has_unseen = pc.match_substring_regex(texts, INVISIBLE)
    if not pc.any(has_unseen).as_py():
        return texts
    seen = pc.replace_substring_regex(texts, INVISIBLE, "")
    return pc.if_else(pc.and_(has_unseen, pc.match_substring_regex(seen, pattern)), seen, texts)


def _as_text(column: pd.Series[Any]) -> pa.Array:
    if column.dtype == frames.TEXT:
        return array(column)
    numbers = pa.array(np.floor(column.to_numpy(dtype=float, na_value=np.nan)), from_pandas=True)
    return pc.fill_null(pc.cast(pc.cast(numbers, pa.int64()), pa.string()), "an unknown number of")
