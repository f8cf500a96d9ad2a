"""The streamed listing equals the listing that ``json`` would read, for any text."""

import itertools
import json
import sys
import threading
import tracemalloc

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_frames import token_document
from tokenkit import errors, frames
from tokenkit.rest import listing
from tokenkit.rest.transport import NotJsonError

KEY = "token_infos"
BLANKS = ["", "", "", " ", "\n", "\t ", "\r\n    "]
# Text that looks like the boundary between two tokens.
TRAPS = [
    "},{",
    '},{"',
    '"},{"a',
    "}]}",
    '},{"token_id":"x',
    "\\",
    '\\"',
    "\\u0022},{\\u0022a",
    "\ud83d",
    "\n",
    "null",
    "0x1F",
]


def outcome(read, *arguments, **settings):
    """Return the frame, or the class of the error."""
    try:
        return read(*arguments, **settings)
    except (NotJsonError, errors.InvalidResponseError) as error:
        return type(error)


def plainly(text):
    """Read a listing in the simplest way."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise NotJsonError from None
    if not isinstance(document, dict):
        raise NotJsonError
    return frames.frame(listing.records(document, KEY), frames.TOKENS)


def streamed(text, chunk_bytes=listing.CHUNK_BYTES, borders=()):
    edges = [0, *sorted(borders), len(text)]
    blocks = [text[start:end] for start, end in itertools.pairwise(edges) if start < end]
    return frames.concat_chunks(listing.chunks(blocks, KEY, frames.TOKENS, chunk_bytes=chunk_bytes), frames.TOKENS)


def assert_read_alike(text, *arguments, **settings):
    expected, found = outcome(plainly, text), outcome(streamed, text, *arguments, **settings)
    if isinstance(expected, type) or isinstance(found, type):
        assert found is expected, text
    else:
        pd.testing.assert_frame_equal(found, expected)


def rendered(value, random):
    """Write JSON with a random layout."""
    blank = lambda: random.choice(BLANKS)  # noqa: E731 - short
    if isinstance(value, dict):
        items = [f"{blank()}{rendered(k, random)}{blank()}:{rendered(v, random)}" for k, v in value.items()]
        text = "{" + ",".join(items) + blank() + "}"
    elif isinstance(value, list):
        text = "[" + ",".join(rendered(item, random) for item in value) + blank() + "]"
    elif isinstance(value, str):
        text = json.dumps(value, ensure_ascii=random.random() < 0.5 or "\ud83d" in value)
        text = (
            "".join(f"\\u{ord(c):04x}" if c.isalpha() and random.random() < 0.02 else c for c in text)
            if "\\" not in text
            else text
        )
    else:
        text = json.dumps(value)
    return blank() + text + blank()


# Tokens that Arrow can read, except for a field that some of them, possibly the first, do not have.
OF_A_NEWER_SERVER = st.fixed_dictionaries(
    {"token_id": st.text("ab{}", min_size=1)},
    optional={
        "comment": st.sampled_from(TRAPS).filter(lambda text: text != "\ud83d"),
        "owner_id": st.sampled_from([7, 2**53 + 1, 2**63 - 1]),
        "tier": st.sampled_from(["gold", "gold", 7, True, None]),
    },
)


@st.composite
def listing_text(draw):
    """A listing of a few tokens: key orders, whitespace, escapes, traps, unknown and missing fields, huge ids."""
    random = draw(st.randoms(use_true_random=True))  # otherwise nearly every letter becomes an escape
    newer, alike = draw(st.booleans()), draw(st.booleans())
    tokens = draw(
        st.lists(OF_A_NEWER_SERVER, min_size=2, max_size=6) if newer else st.lists(token_document(), max_size=6)
    )
    for token in () if newer else tokens:
        if random.random() < 0.7:
            token["comment"] = random.choice(TRAPS) + (token.get("comment") or "") + random.choice(TRAPS)
        if random.random() < 0.1:
            token["details"] = [{"a": 1}, {"token_id": "b"}]
        if random.random() < 0.2 or alike:
            token["owner_id"] = random.choice([2**63 - 1, 2**53 + 1, "9223372036854775807", "007", " 7", None])
        if random.random() < 0.05:
            token[random.choice(["owner_id", "scopes", "risk"])] = random.choice(
                [2**64, "0x1F", True, 1.5, [None, "a"]]
            )
        if alike:
            token["tier"] = random.choice(["gold", None])
    others = draw(
        st.dictionaries(st.sampled_from(["a", "token_info", 'token_infos":[{']), st.just([{"a": 1}, {"b": 2}]))
    )
    document = {**others, KEY: tokens}
    return rendered({name: document[name] for name in draw(st.permutations(sorted(document)))}, random).encode()


@given(listing_text(), st.integers(1, 2_000), st.lists(st.integers(0, 2_000), max_size=4))
def test_a_listing_is_read_as_json_would_read_it(text, chunk_bytes, borders):
    assert_read_alike(text, chunk_bytes, borders)


SMALL = json.dumps(
    {
        "page": {KEY: [{"token_id": "none of ours"}]},
        KEY: [
            {"token_id": "a", "comment": 'x},{"y', "owner_id": 2**63 - 1, "expiry_time": -1},
            {"token_id": "b", "comment": "x},{", "scopes": ["sql"], "tier": "gold"},
            {"token_id": "c", "comment": "größer", "owner_id": "7"},
            {"comment": "no id", "token_id": "d"},
            {"token_id": "e"},
        ],
        "more": [{"token_id": "nor this"}, {"token_id": "nor that"}],
    },
    ensure_ascii=False,
    separators=(",", ":"),
).encode()


def test_a_chunk_can_end_at_any_byte():
    expected = plainly(SMALL)
    assert expected["token_id"].tolist() == ["a", "b", "c", "d", "e"]
    for chunk_bytes in range(1, len(SMALL) + 2):
        pd.testing.assert_frame_equal(streamed(SMALL, chunk_bytes), expected)


def test_a_block_can_end_at_any_byte():
    expected = plainly(SMALL)
    for border in range(len(SMALL) + 1):
        pd.testing.assert_frame_equal(streamed(SMALL, 60, [border]), expected)
    pd.testing.assert_frame_equal(streamed(SMALL, 1, range(len(SMALL))), expected)


@pytest.mark.parametrize("chunk_bytes", [1, 60, 1_000])
@pytest.mark.parametrize("place", ['"x": {}', '"comment": "a"}}, {{"x": {}'])
def test_a_listing_that_is_nested_too_deeply_is_an_error(chunk_bytes, place):
    deep = f'{{"token_infos": [{{"token_id": "a", {place.format("[" * 70 + "]" * 70)}}}]}}'
    with pytest.raises(errors.InvalidResponseError, match="nested too deeply"):
        streamed(deep.encode(), chunk_bytes)


@pytest.mark.parametrize("chunk_bytes", [1, 60, 1_000])
def test_a_listing_truncated_at_any_byte_is_an_error(chunk_bytes):
    for end in range(len(SMALL)):
        with pytest.raises(NotJsonError):
            streamed(SMALL[:end], chunk_bytes)


@pytest.mark.parametrize("letter", [*b'{}[],:"\\ \n\x00\xff7x', None])
def test_any_byte_changed_added_or_lost_is_read_as_json_would_read_it(letter):
    inserted = b"" if letter is None else bytes([letter])
    text = SMALL[SMALL.index(b'"comment":"x},{",') - 3 : SMALL.index(b'"tier')]  # around a boundary and a trap
    before, after = SMALL.split(text)
    for position in range(len(text)):
        assert_read_alike(before + text[:position] + inserted + text[position + 1 :] + after, 60)
        if inserted:
            assert_read_alike(before + text[:position] + inserted + text[position:] + after, 60)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b" { } ",
        b"",
        b"  ",
        b"[]",
        b"null",
        b"<html>",
        b'{"token_infos":null}',
        b'{"token_infos":[]}',
        b'{"token_infos":[ ] , "a":[{"token_id":"x"},{"token_id":"y"}]}',
        b'{"token_infos":{}}',
        b'{"token_infos":[null]}',
        b'{"token_infos":[{},{},{}]}',
        b'{"token_infos":[{"token_id":"a"},null,{"token_id":"b"}]}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"},7]}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"},{"token_id":"c"},]}',
        b'{"token_infos":[{"token_id":"a"}{"token_id":"b"},{"token_id":"c"}]}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"}{"token_id":"c"},{"token_id":"d"},{"token_id":"e"}]}',
        b'{"token_infos":[{"token_id":"a"},,{"token_id":"b"},{"token_id":"c"}]}',
        b'{"token_infos":[{"token_id":"a"} null,{"token_id":"b"},{"token_id":"c"}]}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"},{"token_id":"c"}]} {}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"},{"token_id":"c"}]',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"}],"token_infos":[{"token_id":"c"}]}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"}],"token_\\u0069nfos":null}',
        b'{"token_infos":[{"token_id":"a"},{"token_id":"b"}],"token_infos":7}',
        b'{"token_infos":7,"token_infos":[{"token_id":"a"},{"token_id":"b"}]}',
        b'{"token_\\u0069nfos":[{"token_id":"a"},{"token_id":"b"}]}',
        b'{"a":{"token_infos":[{"token_id":"a"},{"token_id":"b"}]}}',
        b'{"a\\"token_infos":[{"token_id":"a"},{"token_id":"b"}]}',
        b'\xef\xbb\xbf{"token_infos":[{"token_id":"a"},{"token_id":"b"}]}',
        '{"token_infos":[{"token_id":"a"},{"token_id":"b"}]}'.encode("utf-16"),
        b'{"token_infos":[{"token_id":"a","token_id":"b"},{"token_id":"c"},{"token_id":"d"}]}',
        b'{"token_infos":[{"token_id":"a\nb"},{"token_id":"c"},{"token_id":"d"}]}',
        b'{"token_infos":[{"token_id":"a},{"b"},{"token_id":"c"},{"token_id":"d"}]}',
        b'{"token_infos":[{"token_id":"\xff"},{"token_id":"c"},{"token_id":"d"}]}',
        b'{"token_infos":[{"token_id":"\xed\xa0\xbd"},{"token_id":"c"},{"token_id":"d"}]}',
        b'{"token_infos":[{"token_id":"\\ud83d"},{"token_id":"\\ude00\\ud83d"},{"token_id":"\\ud83d\\ude00"}]}',
        b'{"token_infos":[{"token_id":5},{"token_id":true},{"token_id":{"a":null}},{"token_id":"d"}]}',
        b'{"token_infos":[{"owner_id":1.0},{"owner_id":1e3},{"owner_id":-0},{"owner_id":true}]}',
        b'{"token_infos":[{"owner_id":true},{"owner_id":1},{"owner_id":false}]}',
        b'{"token_infos":[{"owner_id":"0x1F"},{"owner_id":"7"},{"owner_id":"8"}]}',
        b'{"token_infos":[{"owner_id":"+7"},{"owner_id":" 7"},{"owner_id":"1_0"}]}',
        b'{"token_infos":[{"owner_id":NaN},{"owner_id":7},{"owner_id":8}]}',
        b'{"token_infos":[{"owner_id":9223372036854775808},{"owner_id":7},{"owner_id":8}]}',
        b'{"token_infos":[{"expiry_time":"1700000000000"},{"expiry_time":"-1"},{"expiry_time":"9223372036854775807"}]}',
        b'{"token_infos":[{"expiry_time":1},{"expiry_time":9223372036854775807},{"last_used_day":0}]}',
        b'{"token_infos":[{"scopes":["a",null]},{"scopes":null},{"scopes":[]},{"scopes":[1]}]}',
        b'{"token_infos":[{"scopes":"sql"},{"scopes":["a"]},{"scopes":["b"]}]}',
        b'{"token_infos":[{"new":1},{"new":"a"},{"new":null},{"new":2}]}',
        b'{"token_infos":[{"new":null},{"new":null},{"new":null}]}',
        b'{"token_infos":[{"new":"2026-01-01"},{"new":"2026-01-02 10:00:00"},{"newer":true}]}',
        b'{"token_infos":[{"new":1},{"new":18446744073709551616},{"new":2.5}]}',
        b'{"token_infos":[{"new":[1]},{"new":[]},{"new":{"a":[{"b":1},{"c":2}]}}]}',
        b'{"token_infos":[{"new":' + b"[" * 50_000 + b"]" * 50_000 + b'},{"token_id":"a"}]}',
        b'{"token_infos":[{"token_id":"a"}' + b" " * 500 + b',{"token_id":"b"},{"token_id":"c"}]}',
        b'{"token_infos":[{"":"a"},{"":"b"},{"token_id":"c"}]}',
        b'{"token_infos":[{"owner_id":' + b"1" * 5_000 + b'},{"token_id":"b"},{"token_id":"c"}]}',
    ],
    ids=lambda text: text[:90].decode("latin-1"),
)
def test_an_odd_text_is_read_as_json_would_read_it(text):
    for chunk_bytes in (1, 20, 40, 1_000):
        assert_read_alike(text, chunk_bytes)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("form", [int, str])
def test_every_layout_and_both_forms_of_ids_are_read_without_an_object_for_each_token(separators, indent, form):
    tokens = [{"token_id": f"{n:064}", "comment": "},{", "owner_id": form(n), "tier": "gold"} for n in range(3_000)]
    text = json.dumps({KEY: tokens}, separators=separators, indent=indent).encode()
    borders = range(0, len(text), 5_000)
    calls = calls_of(lambda: streamed(text, 20_000, borders), "_columns", "records")
    assert calls["_columns"] >= 4  # each of them a chunk of many tokens
    assert calls["records"] == 1  # json reads the last token
    assert_read_alike(text, 20_000, borders)


def calls_of(work, *names):
    """Count the calls of Python functions by name, in all threads."""
    counts = dict.fromkeys(names, 0)

    def note(frame, event, _):
        if event == "call":
            counts[""] = counts.get("", 0) + 1
            if frame.f_code.co_name in counts:
                counts[frame.f_code.co_name] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return counts


def tokens_text(count):
    token = {"token_id": "f" * 64, "comment": "nightly", "owner_id": 2**60, "creation_time": 1, "scopes": ["sql"]}
    return json.dumps({KEY: [token] * count}, separators=(",", ":")).encode()


def test_work_in_python_grows_with_chunks_and_not_with_tokens():
    texts = [tokens_text(count) for count in (5_000, 50_000)]
    short, long = (
        calls_of(lambda text=text: streamed(text, borders=range(0, len(text), 50_000)), "_columns") for text in texts
    )
    assert long["_columns"] >= 8  # each a chunk that Arrow has read
    assert long[""] - short[""] < 4_000  # a call for each token would be 45,000


def test_neither_the_text_nor_its_objects_are_kept_in_memory():
    text = tokens_text(50_000)
    pools = [pa.default_memory_pool(), pa.system_memory_pool()]
    before = sum(pool.bytes_allocated() for pool in pools)
    tracemalloc.start()
    frame = streamed(text, borders=range(0, len(text), listing.CHUNK_BYTES))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    columns = frame.memory_usage(index=False).sum()
    assert len(frame) == 50_000
    assert 0.5 * columns < sum(pool.bytes_allocated() for pool in pools) - before < 1.5 * columns
    assert peak < 3 * len(text)  # the blocks above are one copy; json's objects alone would be 5 more
