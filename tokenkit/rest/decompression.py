"""Decompression of response bodies in pieces of limited size.

urllib3 decompresses what it has received as a whole before release 2.6, whatever the size of the result, and copies the
rest of the result at each read: a body of 300 kB occupied 300 MB, and reading it took 9 s or more (urllib3 2.3.0, which
serverless environment 5 has).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP = 16 + zlib.MAX_WBITS


def gunzipped(blocks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield the content of a gzip file, which can have several members. What follows the last member is ignored.

    Args:
        blocks: The file.
        most_bytes: The maximum size of what is yielded at once.

    Raises:
        zlib.error: The file is not gzip, or is damaged.
    """
    member, is_first = zlib.decompressobj(_GZIP), True
    for block in blocks:
        rest = block
        while rest:
            try:
                content = member.decompress(rest, most_bytes)
            except zlib.error:
                if is_first:
                    raise
                return
            if content:
                yield content
            rest = member.unconsumed_tail
            if member.eof:
                rest, member, is_first = member.unused_data, zlib.decompressobj(_GZIP), False
    if rest := member.flush():
        yield rest
