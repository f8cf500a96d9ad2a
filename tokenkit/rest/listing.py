"""A listing becomes columns as it comes off the wire, without a Python object for each token.

The list of tokens is one JSON array of any length. Arrow's JSON reader makes columns of text several times faster than
``json`` makes dictionaries, in threads, but it reads a sequence of objects, not an array, and all of it at once. So the
text is cut into chunks between two objects, and within a chunk every comma between two objects becomes a new line::

    {"token_infos":[{"token_id":"a"},{"token_id":"b"},{"token_id":"c"}]}
                    ^               ^               ^
                    begins here     a new line      the chunk ends

**Which comma stands between two objects?** One after ``}`` and before ``{"`` and the first letter of a name, with
blanks anywhere. This cannot stand inside a string: its quotation mark would end the string, and what follows the end
of a string is never a letter. A comment may well hold ``},{``.

**Why is the result right for whatever comes?** Cutting is a guess that the parser confirms. A chunk counts only if
Arrow read all of it by an exact schema, and one object more than commas were replaced. A wrong cut leaves half an
object, a wrong new line stands inside a string or an inner list, and both are errors to Arrow. What it refuses, for
whatever reason (a field of another type, half a surrogate pair, a name twice), is read by ``json`` and
``frames.piece``, chunk by chunk; the new fields that were met there are known for the chunks that follow. If ``json``
cannot read a chunk either, everything from there on is read at once, as is what stands before the list, the last
object, and what stands after it. So every byte is read by one of two strict parsers, and a text that was cut short
anywhere is an error.

Memory holds the columns, a few chunks, and nothing else of the text.
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
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from tokenkit import errors, frames
from tokenkit.frames import Piece
from tokenkit.rest import answers
from tokenkit.rest.transport import NotJsonError

CHUNK_BYTES = 1 << 17
"""How long the first chunk is; each is twice as long as the one before, up to the largest. So a short listing is shared
between threads as well, and a long one does not become many small pieces."""

LARGEST_CHUNK_BYTES = 1 << 20
"""Where the doubling stops. A text that is no longer than its first chunk is read without further threads, which is
cheapest where other texts keep them busy."""

_LONGEST_OBJECT_BYTES = 1 << 25  # 32 MiB; also of what stands before the list, and after it
_LONGEST_REST_BYTES = 1 << 30  # of what has to be read at once, because it cannot be cut
_MOST_BEGINNINGS = 16  # places that look like the begin of the list; a text with more is read without cutting
_THREADS = min(4, pa.cpu_count())  # what reads the text and cuts it keeps about four busy
_LONGEST_BLANK = 64  # an indentation; a longer one is read without cutting there
_COMMA, _NEW_LINE, _BACK, _FORTH = ord(","), ord("\n"), -1, 1
_IS_BLANK = np.isin(np.arange(256), [*b" \t\n\r"])
_FOLLOWS_A_STRING = np.isin(np.arange(256), [*b" \t\n\r,:]}"])
_Positions = npt.NDArray[np.intp]


def frame(blocks: Iterable[bytes], key: str, schema: pa.Schema, *, chunk_bytes: int = CHUNK_BYTES) -> pd.DataFrame:
    """Return ``frames.frame`` of the objects that a JSON object lists under a key; exactly that frame.

    Args:
        blocks: As for ``pieces``, as are the others.
        key: The name of the list.
        schema: One of ``frames``.
        chunk_bytes: How long the first chunk is.

    Raises:
        NotJsonError: As ``pieces``.
        MalformedAnswerError: As ``pieces``.
    """
    return frames.joined(pieces(blocks, key, schema, chunk_bytes=chunk_bytes), schema)


def pieces(blocks: Iterable[bytes], key: str, schema: pa.Schema, *, chunk_bytes: int = CHUNK_BYTES) -> list[Piece]:
    """Return that frame before it is put together, which ``frames.joined`` does for one text or for many.

    Args:
        blocks: The JSON text in pieces of any size.
        key: The name of the list. Where it is absent or null, the frame is empty.
        schema: One of ``frames``.
        chunk_bytes: How long the first chunk is.

    Raises:
        NotJsonError: The text is not one JSON object, or ends too early.
        MalformedAnswerError: It is one, but what stands under the key is no list of objects, or a field cannot be read.
    """
    text = _Text(iter(blocks), key, chunk_bytes)
    reader = _Reader(schema)
    read: list[Piece] = []
    under_way: deque[tuple[_Chunk, Future[Piece | None]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in itertools.chain(text.chunks(), itertools.repeat(None)):
            if chunk is not None:
                under_way.append((chunk, (_done if text.has_ended else pool.submit)(reader.piece, chunk)))
            if not under_way:
                break
            if chunk is None or len(under_way) > _THREADS + 1:
                piece = under_way[0][1].result()
                if piece is None:
                    break
                read.append(piece)
                under_way.popleft()
        wait([future for _, future in under_way])  # they put the commas back
    rest = b",".join([*(chunk.text for chunk, _ in under_way), text.rest()])
    found, is_all = _found(rest, key, has_begun=text.has_begun)
    listed = records(found, key)
    _check_depth(listed)
    last = frames.piece(listed, schema)
    return [last] if is_all else [*read, last]


def _check_depth(listed: object) -> None:
    try:
        answers.check_depth(listed)
    except ValueError as error:
        raise errors.MalformedAnswerError(f"The workspace sent {error}.") from None


def _done(task: Callable[[_Chunk], Piece | None], chunk: _Chunk) -> Future[Piece | None]:
    """Do here what a thread would do: whoever cut the last chunk has nothing else to do, and may be all there is."""
    future: Future[Piece | None] = Future()
    try:
        future.set_result(task(chunk))
    except errors.MalformedAnswerError as error:
        future.set_exception(error)
    return future


def _found(rest: bytes, key: str, *, has_begun: bool) -> tuple[object, bool]:
    """Return what the rest of the text has under the key, and whether this is all that counts.

    It is not, where the list has begun before, unless a second one follows under the same name: then ``json`` means the
    last.
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


def records(found: object, key: str) -> list[Mapping[str, Any]]:
    """Return what stands under a key as a list of objects; none is an empty one, which is how this API says "none".

    Raises:
        MalformedAnswerError: It is something else.
    """
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(record, Mapping) for record in found):
        raise errors.MalformedAnswerError(f"The workspace sent {key!r} in a form that is not a list of objects.")
    return found


@dataclass(frozen=True)
class _Chunk:
    """Objects with commas between them, and where these are."""

    text: bytearray
    commas: _Positions


class _Text:
    """The text as it comes: chunks of the list, and the rest."""

    def __init__(self, blocks: Iterator[bytes], key: str, chunk_bytes: int) -> None:
        self._blocks = blocks
        name = re.escape(json.dumps(key).encode())
        self._begin = re.compile(rb"(?<!\\)" + name + rb"[ \t\n\r]*:[ \t\n\r]*\[[ \t\n\r]*(?={)")
        self._chunk_bytes = chunk_bytes
        self._pending = bytearray()
        self.has_begun = self.has_ended = False

    def chunks(self) -> Iterator[_Chunk]:
        """Yield chunks for as long as there is a comma to end one at."""
        wanted = chunk_bytes = self._chunk_bytes
        for block in itertools.chain(self._blocks, (None,)):
            self.has_ended = block is None
            self._pending += block or b""
            if block is not None and len(self._pending) < wanted:
                continue
            if not self.has_begun:
                begin = self._begin_of_the_list()
                self.has_begun = begin is not None
                del self._pending[: begin or 0]
            if len(self._pending) > LARGEST_CHUNK_BYTES + _LONGEST_OBJECT_BYTES:
                raise errors.MalformedAnswerError(
                    f"The workspace sent a listing of which one object exceeds {_LONGEST_OBJECT_BYTES:,} bytes."
                )
            commas = _commas(self._pending if self.has_begun else bytearray())
            if commas.size:
                end = int(commas[-1])
                chunk = _Chunk(self._pending[:end], commas[:-1])
                del self._pending[: end + 1]
                wanted = chunk_bytes = max(min(2 * chunk_bytes, LARGEST_CHUNK_BYTES), self._chunk_bytes)
                yield chunk
            else:
                wanted = 2 * len(self._pending)

    def rest(self) -> bytes:
        """Return what was not given out: the end of the list and what follows, or all of it if no list has begun.

        Raises:
            MalformedAnswerError: It is too long to be read at once.
        """
        for block in self._blocks:
            self._pending += block
            if len(self._pending) > _LONGEST_REST_BYTES:
                raise errors.MalformedAnswerError("The workspace sent a listing that cannot be read piece by piece.")
        return bytes(self._pending)

    def _begin_of_the_list(self) -> int | None:
        """Return where the first object begins, once what stands before it is known to be the begin of an object."""
        for found in itertools.islice(self._begin.finditer(self._pending), _MOST_BEGINNINGS):
            try:
                json.loads(self._pending[: found.start()] + b'"":0}')  # fails unless the list is of the top level
            except (ValueError, RecursionError):
                continue
            return found.end()
        return None


class _Reader:
    """Reads chunks, in threads. What one learns of the fields, the others use."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._sent: dict[str, pa.DataType] = {}

    def piece(self, chunk: _Chunk) -> Piece | None:
        """Return a chunk as columns, or None if it is not a list of JSON values.

        Raises:
            MalformedAnswerError: It has something else than objects, or a field that cannot be read.
        """
        letters = np.frombuffer(chunk.text, np.uint8)
        try:
            if not self._sent:
                self._sent = self._sent_like(json.loads(chunk.text[: chunk.commas[0] if chunk.commas.size else None]))
            letters[chunk.commas] = _NEW_LINE
            return self._columns(chunk)
        except (pa.ArrowInvalid, ValueError, RecursionError):
            letters[chunk.commas] = _COMMA
        try:
            rows = json.loads(b"".join([b"[", chunk.text, b"]"]))
        except (ValueError, RecursionError):
            return None
        _check_depth(rows)
        piece = frames.piece(records(rows, "tokens"), self._schema)
        self._sent = self._sent | {
            name: each.type for name, each in piece.unknown.items() if isinstance(each, pa.Array)
        }
        return piece

    def _sent_like(self, first: Mapping[str, Any]) -> dict[str, pa.DataType]:
        """Return the fields as the first object has them: 64-bit numbers may be sent as text, and there may be more."""
        sent = {field.name: field.type for field in frames.as_sent(self._schema)}
        for name, value in first.items():
            if name in sent:
                sent[name] = pa.string() if isinstance(value, str) and sent[name] == pa.int64() else sent[name]
            elif value is None or type(value) in frames.PLAIN:
                sent[name] = pa.null() if value is None else frames.PLAIN[type(value)]
        frames.check_fields(sent.keys() - set(self._schema.names))
        return sent

    def _columns(self, chunk: _Chunk) -> Piece:
        sent = self._sent
        table = pyarrow.json.read_json(
            pa.BufferReader(chunk.text),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(chunk.text) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(sent), newlines_in_values=True, unexpected_field_behavior="error"
            ),
            memory_pool=pa.system_memory_pool(),  # Arrow's own keeps what is freed: 25 MB more at 100,000 tokens
        )
        table.validate(full=True)  # that its text is UTF-8 is not checked before
        if table.num_rows != chunk.commas.size + 1:
            raise pa.ArrowInvalid("two objects without a comma between them")
        fields = frames.as_sent(self._schema)
        known = [_integers(table[field.name]) if field.type == pa.int64() else table[field.name] for field in fields]
        unknown = {name: table[name].combine_chunks() for name in sent if name not in fields.names}
        return Piece(pa.table(known, fields), unknown)


def _integers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if values.type == pa.string() and pc.any(pc.match_substring(values, "x", ignore_case=True)).as_py():
        raise pa.ArrowInvalid("Arrow would read it as hexadecimal")
    return values.cast(pa.int64())


def _commas(text: bytearray) -> _Positions:
    """Return where the commas between two objects are, in text that begins with an object."""
    letters = np.frombuffer(text, np.uint8)
    braces = np.flatnonzero(letters == ord("{"))[1:]
    commas = _beside(letters, braces, _BACK)
    ends = _beside(letters, commas, _BACK)
    quotes = _beside(letters, braces, _FORTH)
    names = np.minimum(quotes + 1, len(letters) - 1)
    return commas[
        (letters[ends] == ord("}"))
        & (letters[commas] == _COMMA)
        & (letters[quotes] == ord('"'))
        & (names > quotes)
        & ~_FOLLOWS_A_STRING[letters[names]]
    ]


def _beside(letters: npt.NDArray[np.uint8], positions: _Positions, step: int) -> _Positions:
    """Return the next positions in a direction that are not blank."""
    last = len(letters) - 1
    positions = np.clip(positions + step, 0, last)
    for _ in range(_LONGEST_BLANK):
        blank = _IS_BLANK[letters[positions]]
        if not blank.any():
            break
        positions = np.clip(positions + step * blank, 0, last)
    return positions


def _top_level(text: str | bytes) -> list[tuple[str, Any]]:
    """Return the names and values of a JSON object, a name as often as it stands there.

    Raises:
        ValueError: It is not one.
    """
    innermost_first: list[list[tuple[str, Any]]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        innermost_first[:] = [pairs]
        return dict(pairs)

    if not isinstance(json.loads(text, object_pairs_hook=note), dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - as json says of other text that is none
    return innermost_first[0]
