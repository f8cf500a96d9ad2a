"""Columns of text, made and looked at in Arrow: a million rows are a function call, not a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.redaction import CREDENTIAL, REDACTED, SECRET, UNSEEN, redact

_STRING = pa.string()
_LISTS = frozenset(field.name for field in frames.TOKENS if field.type == frames.TEXTS)


def said(*parts: str | pd.Series[Any]) -> pd.Series[str]:
    """Return a text for each row: words, and columns of text, or of numbers, which are cut to whole ones.

    Where a number is 1, the word after it is "day" and not "days".
    """
    index = next(part.index for part in parts if isinstance(part, pd.Series))
    arrays = [pa.scalar(part) if isinstance(part, str) else _words(part) for part in parts]
    joined_up = pc.binary_join_element_wise(*arrays, pa.scalar(""))
    return series(pc.replace_substring_regex(joined_up, r"(^|[^\d.,])1 days\b", r"\11 day"), index)


def tenths(numbers: pd.Series[float]) -> pd.Series[str]:
    """Return numbers as text, with a digit after the point where it is not 0."""
    return series(pc.cast(pa.array(numbers.to_numpy(dtype=float).round(1)), pa.string()), numbers.index)


def repeated(text: str | None, index: pd.Index) -> pd.Series[str]:
    """Return the same text, or its absence, for each row."""
    return series(pa.repeat(pa.scalar(text, _STRING), len(index)), index)


def lengths(lists: pd.Series[Any]) -> pd.Series[int]:
    """Return how many texts are in each list, 0 where it is absent."""
    # Not pandas' own list.len: in 2.2 it forgets the index.
    return pd.Series(pc.fill_null(pc.list_value_length(array(lists, frames.TEXTS)), 0).to_numpy(), lists.index)


def joined(lists: pd.Series[Any]) -> pd.Series[str]:
    """Return the texts of each list as one, with commas."""
    return series(pc.binary_join(array(lists, frames.TEXTS), ", "), lists.index)


def redacted(texts: pd.Series[str]) -> pd.Series[str]:
    """Return texts as ``redaction.redact`` does."""
    pattern, shown = f"(?i){CREDENTIAL}", rf"\1\2{REDACTED}"
    found = _once_each(texts, lambda each: pc.replace_substring_regex(_unhidden(each, pattern), pattern, shown))
    return series(found, texts.index)


def written(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as it may be written down: texts, also in lists, and names of columns are redacted."""
    columns = {str(name): redacted(frame[name]) for name in frame if frame[name].dtype == frames.TEXT}
    in_lists = [name for name in frame.columns if name in _LISTS and frame[name].dtype == object]
    columns |= {name: _redacted_lists(frame[name]) for name in in_lists}
    names: list[str] = []
    for name in map(redact, map(str, frame.columns)):
        names.append(name if name not in names else f"{name} {len(names)}")
    return frame.assign(**columns).set_axis(names, axis="columns")


def _redacted_lists(lists: pd.Series[Any]) -> pd.Series[Any]:
    each_once = pc.unique(pc.list_flatten(array(lists, frames.TEXTS))).to_pylist()
    changed = {text: shown for text in each_once if text and (shown := redact(text)) != text}
    return lists.map(lambda each: [changed.get(text, text) for text in each], na_action="ignore") if changed else lists


def holding_secrets(texts: pd.Series[str]) -> pd.Series[bool]:
    """Return which texts have a secret of a known form in them."""
    pattern = f"(?i){SECRET}"
    return asked_once(texts, lambda each: pc.match_substring_regex(_unhidden(each, pattern), pattern))


def asked_once(texts: pd.Series[str], verdict: Callable[[pa.Array], pa.Array]) -> pd.Series[bool]:
    """Return a verdict on each text, which is asked once for those that are alike."""
    return pd.Series(mask(_once_each(texts, verdict)), texts.index, dtype=bool)


def series(texts: pa.Array, index: pd.Index) -> pd.Series[str]:
    """Return an Arrow array as a column."""
    return pd.Series(frames.TEXT.__from_arrow__(pa.chunked_array([texts])), index=index)


def array(column: pd.Series[Any], kind: pa.DataType = _STRING) -> pa.Array:
    """Return a column as one Arrow array."""
    found = pa.array(column.array, kind, from_pandas=True)
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    return found.cast(kind)  # which pyarrow 15 does not heed where pandas makes the array


def mask(hits: pa.Array) -> np.ndarray:
    """Return an Arrow verdict as plain booleans: what is not known is no."""
    return pc.fill_null(hits, fill_value=False).to_numpy(zero_copy_only=False)


def members(lists: pd.Series[Any]) -> tuple[np.ndarray, pa.Array]:
    """Return the texts of all lists one after the other, with the position of the list of each."""
    found = array(lists, frames.TEXTS)
    return pc.list_parent_indices(found).to_numpy(), pc.list_flatten(found)


def _once_each(texts: pd.Series[str], function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return a function of each text, called once for those that are alike, as comments and evidence often are."""
    encoded = pc.dictionary_encode(array(texts), null_encoding="encode")
    return function(encoded.dictionary).take(encoded.indices)


def _unhidden(texts: pa.Array, pattern: str) -> pa.Array:
    """Return texts without the characters that are not seen, where those hide what a pattern looks for."""
    has_unseen = pc.match_substring_regex(texts, UNSEEN)
    if not pc.any(has_unseen).as_py():
        return texts
    seen = pc.replace_substring_regex(texts, UNSEEN, "")
    return pc.if_else(pc.and_(has_unseen, pc.match_substring_regex(seen, pattern)), seen, texts)


def _words(column: pd.Series[Any]) -> pa.Array:
    if column.dtype == frames.TEXT:
        return array(column)
    numbers = pa.array(np.floor(column.to_numpy(dtype=float, na_value=np.nan)), from_pandas=True)
    return pc.fill_null(pc.cast(pc.cast(numbers, pa.int64()), pa.string()), "an unknown number of")
