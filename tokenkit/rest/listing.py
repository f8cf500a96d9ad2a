"""Decodes a listing into columns while it is received, without a Python object for each token.

The list of tokens is one JSON array of any length. Arrow's multithreaded JSON reader creates text columns several times
faster than ``json`` creates dictionaries. However, it reads a sequence of objects instead of an array, and reads all of
it at once. So the text is cut into chunks between two objects, and within a chunk each comma between two objects is
replaced with a new line::

    {"token_infos":[{"token_id":"a"},{"token_id":"b"},{"token_id":"c"}]}
                    ^               ^               ^
                    chunk begins    new line        chunk ends

**Which comma is between two objects?** One that follows ``}`` and precedes ``{"`` and the first letter of a name, with
whitespace anywhere. This sequence cannot occur inside a string: its quotation mark would end the string, and the
character after the end of a string is never a letter. A comment can contain ``},{``.

**Why is the result correct for any input?** Cutting is a guess that the parser confirms. A chunk is accepted only if
Arrow read all of it with an exact schema, and the number of objects is the number of replaced commas plus one. A wrong
cut leaves half an object, and a wrong new line is inside a string or an inner list; both are errors to Arrow. A chunk
that Arrow rejects for any reason (a field of another type, half a surrogate pair, a duplicate name) is read by ``json``
and ``frames.arrow_chunk``, and the following chunks then know its new fields. If ``json`` cannot read a chunk either,
the rest of the text is read at once. So are the text before the list, the last object, and the text after the list.
Thus every byte is read by one of two strict parsers, and a text that was truncated anywhere is an error.

Memory contains only the columns and a few chunks of the text.

**Why no library?** A typed decoder (msgspec) was 5 times as fast as the official SDK at 100,000 tokens, and needed
1,006 MB of memory at a million. This decoder is 11 times as fast at 100,000 and at a million tokens, with 410 MB
instead of the SDK's 1,744 MB (``benchmarks/README.md``). Arrow parses 150 MB of JSON per second and core, and finding
the commas takes 4 % of the time.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from tokenkit import errors, frames
from tokenkit.frames import ArrowChunk
from tokenkit.rest import responses
from tokenkit.rest.transport import NotJsonError

CHUNK_BYTES = 1 << 17
"""The length of the first chunk. Each chunk is twice as long as the previous one, up to the maximum, so that threads
share a short listing as well, and a long listing does not become many small chunks."""

MAX_CHUNK_BYTES = 1 << 20
"""The maximum length of a chunk. A text that fits into its first chunk is read without further threads, which is
cheapest if other texts keep them busy."""

_MAX_OBJECT_BYTES = 1 << 25  # also the limit for the text before and after the list
_MAX_UNCUT_BYTES = 1 << 30  # text that must be read at once
_MAX_LIST_STARTS = 16  # positions that look like the start of the list; a text with more is read without cutting
_THREADS = min(4, pa.cpu_count())  # the thread that receives and cuts the text keeps about four others busy
_MAX_WHITESPACE = 64  # between two objects; no cut at longer whitespace
_COMMA, _NEW_LINE, _BACK, _FORWARD = ord(","), ord("\n"), -1, 1
_IS_WHITESPACE = np.isin(np.arange(256), [*b" \t\n\r"])
_FOLLOWS_A_STRING = np.isin(np.arange(256), [*b" \t\n\r,:]}"])
_Positions = npt.NDArray[np.intp]


def chunks(blocks: Iterable[bytes], key: str, schema: pa.Schema, *, chunk_bytes: int = CHUNK_BYTES) -> list[ArrowChunk]:
    """Return the objects that a JSON object lists under a key, as chunks of a frame.

    ``frames.concat_chunks`` concatenates the chunks of one text or several.

    Args:
        blocks: The JSON text in blocks of any size.
        key: The name of the list. If it is absent or null, the frame is empty.
        schema: One of the schemas in ``frames``.
        chunk_bytes: The length of the first chunk.

    Raises:
        NotJsonError: The text is not one complete JSON object.
        InvalidResponseError: The value of the key is not a list of objects, or a field cannot be read.
    """
    text = _Text(iter(blocks), key, chunk_bytes)
    reader = _Reader(key, schema)
    read: list[ArrowChunk] = []
    pending: deque[tuple[_Chunk, Future[ArrowChunk | None]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in itertools.chain(text.chunks(), itertools.repeat(None)):
            if chunk is not None:
                pending.append((chunk, (_run_here if text.has_ended else pool.submit)(reader.read, chunk)))
            if not pending:
                break
            if chunk is None or len(pending) > _THREADS + 1:
                columns = pending[0][1].result()
                if columns is None:
                    break
                read.append(columns)
                pending.popleft()
        wait([future for _, future in pending])  # they restore the commas
    rest = b",".join([*(chunk.text for chunk, _ in pending), text.rest()])
    found, is_all = _found(rest, key, has_begun=text.has_begun)
    listed = records({key: found}, key)
    _check_depth(listed)
    last = frames.arrow_chunk(listed, schema)
    return [last] if is_all else [*read, last]


def _check_depth(listed: object) -> None:
    try:
        responses.check_depth(listed)
    except ValueError as error:
        raise errors.InvalidResponseError(f"The workspace sent {error}.") from None


def _run_here(task: Callable[[_Chunk], ArrowChunk | None], chunk: _Chunk) -> Future[ArrowChunk | None]:
    """Run a task in this thread, which is idle after it has cut the last chunk."""
    future: Future[ArrowChunk | None] = Future()
    try:
        future.set_result(task(chunk))
    except errors.InvalidResponseError as error:
        future.set_exception(error)
    return future


def _found(rest: bytes, key: str, *, has_begun: bool) -> tuple[object, bool]:
    """Return the value of the key in the rest of the text, and whether it replaces the chunks that were read before.

    It does if no chunk was read, or if a second value with the same name follows: ``json`` uses the last one.
    """
    try:
        if not has_begun:
            return dict(_top_level(rest)).get(key), True
        text = "[" + rest.decode("utf-8", "surrogatepass")
        found, end = json.JSONDecoder().raw_decode(text)
        named = [value for name, value in _top_level(f"{{{json.dumps(key)}:0{text[end:]}") if name == key]
    except (ValueError, RecursionError):
        raise NotJsonError from None
    return (found, False) if len(named) == 1 else (named[-1], True)


def records(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the value of a key as a list of objects. An absent value is an empty list, as this API omits those.

    Raises:
        InvalidResponseError: The value is not a list of objects.
    """
    found = document.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(record, Mapping) for record in found):
        raise errors.InvalidResponseError(f"The workspace sent a value of {key!r} that is not a list of objects.")
    return found


@dataclass(frozen=True)
class _Chunk:
    """Objects with commas between them, and the positions of these commas."""

    text: bytearray
    commas: _Positions


class _Text:
    """The received text: chunks of the list, and the rest."""

    def __init__(self, blocks: Iterator[bytes], key: str, chunk_bytes: int) -> None:
        self._blocks = blocks
        name = re.escape(json.dumps(key).encode())
        self._list_start = re.compile(rb"(?<!\\)" + name + rb"[ \t\n\r]*:[ \t\n\r]*\[[ \t\n\r]*(?={)")
        self._chunk_bytes = chunk_bytes
        self._pending = bytearray()
        self.has_begun = self.has_ended = False

    def chunks(self) -> Iterator[_Chunk]:
        """Yield chunks while there are commas to cut at."""
        wanted = chunk_bytes = self._chunk_bytes
        for block in itertools.chain(self._blocks, (None,)):
            self.has_ended = block is None
            self._pending += block or b""
            if block is not None and len(self._pending) < wanted:
                continue
            if not self.has_begun:
                start = self._find_list_start()
                self.has_begun = start is not None
                del self._pending[: start or 0]
            if len(self._pending) > MAX_CHUNK_BYTES + _MAX_OBJECT_BYTES:
                raise errors.InvalidResponseError(
                    f"The workspace sent a listing with an object that exceeds {_MAX_OBJECT_BYTES:,} bytes."
                )
            commas = _commas(self._pending if self.has_begun else bytearray())
            if commas.size:
                end = int(commas[-1])
                chunk = _Chunk(self._pending[:end], commas[:-1])
                del self._pending[: end + 1]
                wanted = chunk_bytes = max(min(2 * chunk_bytes, MAX_CHUNK_BYTES), self._chunk_bytes)
                yield chunk
            else:
                wanted = 2 * len(self._pending)

    def rest(self) -> bytes:
        """Return the text that no chunk contains: the end of the list and what follows, or all if no list has begun.

        Raises:
            InvalidResponseError: The text is too long to be read at once.
        """
        for block in self._blocks:
            self._pending += block
            if len(self._pending) > _MAX_UNCUT_BYTES:
                raise errors.InvalidResponseError("The workspace sent a long listing that cannot be read in chunks.")
        return bytes(self._pending)

    def _find_list_start(self) -> int | None:
        """Return the position of the first object, if the text before it is the start of a JSON object."""
        for found in itertools.islice(self._list_start.finditer(self._pending), _MAX_LIST_STARTS):
            try:
                json.loads(self._pending[: found.start()] + b'"":0}')  # fails unless the list is at the top level
            except (ValueError, RecursionError):
                continue
            return found.end()
        return None


class _Reader:
    """Reads chunks in threads, which share the field types that they find."""

    def __init__(self, key: str, schema: pa.Schema) -> None:
        self._key = key
        self._schema = schema
        self._sent: dict[str, pa.DataType] = {}

    def read(self, chunk: _Chunk) -> ArrowChunk | None:
        """Return a chunk as columns, or None if it is not a list of JSON values.

        Raises:
            InvalidResponseError: A value is not an object, or a field cannot be read.
        """
        letters = np.frombuffer(chunk.text, np.uint8)
        try:
            if not self._sent:
                self._sent = self._types_in(json.loads(chunk.text[: chunk.commas[0] if chunk.commas.size else None]))
            letters[chunk.commas] = _NEW_LINE
            return self._columns(chunk)
        except (pa.ArrowInvalid, ValueError, RecursionError):
            letters[chunk.commas] = _COMMA
        try:
            rows = json.loads(b"".join([b"[", chunk.text, b"]"]))
        except (ValueError, RecursionError):
            return None
        _check_depth(rows)
        columns = frames.arrow_chunk(records({self._key: rows}, self._key), self._schema)
        self._sent = self._sent | {
            name: column.type for name, column in columns.unknown.items() if isinstance(column, pa.Array)
        }
        return columns

    def _types_in(self, first: Mapping[str, Any]) -> dict[str, pa.DataType]:
        """Return the field types in the first object: 64-bit numbers can be text; unknown fields are included."""
        sent = {field.name: field.type for field in frames.as_sent(self._schema)}
        for name, value in first.items():
            if name in sent:
                sent[name] = pa.string() if isinstance(value, str) and sent[name] == pa.int64() else sent[name]
            elif value is None or type(value) in frames.PLAIN:
                sent[name] = pa.null() if value is None else frames.PLAIN[type(value)]
        frames.check_fields(sent.keys() - set(self._schema.names))
        return sent

    def _columns(self, chunk: _Chunk) -> ArrowChunk:
        sent = self._sent
        table = pyarrow.json.read_json(
            pa.BufferReader(chunk.text),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(chunk.text) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(sent), newlines_in_values=True, unexpected_field_behavior="error"
            ),
            memory_pool=pa.system_memory_pool(),  # Arrow's pool retains freed memory: 25 MB at 100,000 tokens
        )
        table.validate(full=True)  # checks that text is UTF-8
        if table.num_rows != chunk.commas.size + 1:
            raise pa.ArrowInvalid("unexpected number of objects")
        fields = frames.as_sent(self._schema)
        known = [_integers(table[field.name]) if field.type == pa.int64() else table[field.name] for field in fields]
        unknown = {name: table[name].combine_chunks() for name in sent if name not in fields.names}
        return ArrowChunk(pa.table(known, fields), unknown)


def _integers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if values.type == pa.string() and pc.any(pc.match_substring(values, "x", ignore_case=True)).as_py():
        raise pa.ArrowInvalid("Arrow would parse hexadecimal numbers")
    return values.cast(pa.int64())


def _commas(text: bytearray) -> _Positions:
    """Return the positions of the commas between two objects, in text that begins with an object."""
    letters = np.frombuffer(text, np.uint8)
    braces = np.flatnonzero(letters == ord("{"))[1:]
    commas = _beside(letters, braces, _BACK)
    ends = _beside(letters, commas, _BACK)
    quotes = _beside(letters, braces, _FORWARD)
    names = np.minimum(quotes + 1, len(letters) - 1)
    return commas[
        (letters[ends] == ord("}"))
        & (letters[commas] == _COMMA)
        & (letters[quotes] == ord('"'))
        & (names > quotes)
        & ~_FOLLOWS_A_STRING[letters[names]]
    ]


def _beside(letters: npt.NDArray[np.uint8], positions: _Positions, step: int) -> _Positions:
    """Return the next positions in a direction that are not whitespace."""
    last = len(letters) - 1
    positions = np.clip(positions + step, 0, last)
    for _ in range(_MAX_WHITESPACE):
        is_whitespace = _IS_WHITESPACE[letters[positions]]
        if not is_whitespace.any():
            break
        positions = np.clip(positions + step * is_whitespace, 0, last)
    return positions


def _top_level(text: str | bytes) -> list[tuple[str, Any]]:
    """Return the names and values of a JSON object, including duplicate names.

    Raises:
        ValueError: The text is not a JSON object.
    """
    innermost_first: list[list[tuple[str, Any]]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        innermost_first[:] = [pairs]
        return dict(pairs)

    if not isinstance(json.loads(text, object_pairs_hook=collect), dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as json raises for other invalid text
    return innermost_first[0]
