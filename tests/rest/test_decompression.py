"""Decompression in pieces of limited size."""

import gzip
import hashlib
import zlib

import pytest

from tokenkit.rest.decompression import gunzipped

TEXT = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(100)) + b"a" * 200_000


def cut(content, size):
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("most_bytes", [10, 1 << 16])
def test_the_content_is_whole_and_in_pieces_of_limited_size(size, most_bytes):
    pieces = [*gunzipped(cut(gzip.compress(TEXT), size), most_bytes)]
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= max(most_bytes, 300)  # the end of a file is not cut
    assert all(pieces)


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("end", [b"", b"\0" * 20, b"no gzip"])
def test_several_members_are_one_content_and_what_follows_is_ignored(size, end):
    packed = gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"b") + end
    assert b"".join(gunzipped(cut(packed, size), 100)) == TEXT + b"b"


@pytest.mark.parametrize(
    "content",
    [b"plain", zlib.compress(TEXT), gzip.compress(TEXT)[:12] + b"damaged" * 9],
    ids=["plain", "zlib", "damaged"],  # not the content, which has the time
)
def test_what_is_not_gzip_or_is_damaged_is_an_error(content):
    with pytest.raises(zlib.error):
        [*gunzipped([content], 100)]


def test_what_is_there_of_a_truncated_file_is_its_content():
    assert TEXT.startswith(b"".join(gunzipped([gzip.compress(TEXT)[:2_000]], 100)))
    assert [*gunzipped([], 100)] == []
