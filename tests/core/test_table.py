"""Tables and records for terminals: what fits is shown, what is needed is never cut."""

import pytest
from rich.cells import cell_len

from tokenkit.core.table import Column, fitting, record, table

OWNERS = ["annabelle.featherstone@example.com", "夜間エクスポート 二", "a b"]
SOME = [
    Column("severity", ["high", "low"], styles={"high": "red"}),
    Column("owner", ["annabelle.featherstone@example.com", "a b\nc"], least=16),
    Column(
        "comment", ["a comment that is much longer than one would think", "夜間エクスポート 二"], least=12, is_cut=True
    ),
    Column("last used (UTC)", ["68 d", "never"], is_number=True),
    Column("scopes", ["z" * 30, "z"], priority=2, least=12, is_cut=True),
    Column("status", ["active", "active"], priority=1),
    Column("token", ["3f1c9a0b12cd"] * 2),
]
# At 20 columns nothing fits, and at 50 all is broken; from 64 on, words are broken at punctuation, and IDs are whole;
# then owners, headings and comments grow.
DRAWN = {
    50: """
                                    last
                                    used
severity  owner     comment        (UTC)  token
high      annabell  a comment…      68 d  3f1c9a0b
          e                               12cd
          .feather
          stone
          @example
          .com
low       a b       夜間エク…      never  3f1c9a0b
          c                               12cd
""",
    64: """
                                              last
                                              used
severity  owner                comment       (UTC)  token
high      annabelle            a comment t…   68 d  3f1c9a0b12cd
          .featherstone
          @example.com
low       a b                  夜間エクス…   never  3f1c9a0b12cd
          c
""",
    80: """
                                                              last
                                                              used
severity  owner                               comment        (UTC)  token
high      annabelle.featherstone@example.com  a comment th…   68 d  3f1c9a0b12cd
low       a b                                 夜間エクスポ…  never  3f1c9a0b12cd
          c
""",
    106: """
severity  owner                               comment                        last used (UTC)  token
high      annabelle.featherstone@example.com  a comment that is much longe…             68 d  3f1c9a0b12cd
low       a b                                 夜間エクスポート 二                      never  3f1c9a0b12cd
          c
""",
}
WIDTHS = {
    20: "severity 8, owner 8, comment 8, last used (UTC) 8, token 8",
    100: "severity 8, owner 34, comment 23, last used (UTC) 15, token 12",
    108: "severity 8, owner 34, comment 31, last used (UTC) 15, token 12",
    109: "severity 8, owner 34, comment 24, last used (UTC) 15, status 6, token 12",
    134: "severity 8, owner 34, comment 49, last used (UTC) 15, status 6, token 12",
    135: "severity 8, owner 34, comment 24, last used (UTC) 15, scopes 24, status 6, token 12",
    200: "severity 8, owner 34, comment 50, last used (UTC) 15, scopes 30, status 6, token 12",
}
COMMENTS = ["a comment that is much longer than one would think " * 2, "🚀 デプロイ ✅ " * 9, ""]


def columns():
    return [
        Column("severity", ["high", "low", "medium"], styles={"high": "red"}),
        Column("owner", OWNERS, least=16),
        Column("comment", COMMENTS, least=12, is_cut=True),
        Column("last used (UTC)", ["68 d", "never", "7 d"], is_number=True),
        Column("scopes", ["z" * 30] * 3, priority=2),
        Column("status", ["active"] * 3, priority=1),
        Column("token", ["3f1c9a0b12cd"] * 3),
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_lines_fit_the_width_and_columns_start_below_each_other(width):
    lines = table(columns(), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    starts = [cell_len(line.partition(end)[0]) for line in lines for end in ("3f1c9a0b12cd", "token") if end in line]
    assert len(set(starts)) == 1


@pytest.mark.parametrize("width", [10, 30, 60, 80, 200])
def test_a_text_that_is_not_cut_is_whole_at_any_width(width):
    shown = {column.heading: wide for column, wide in fitting(columns(), width)}
    text = table([Column("owner", OWNERS, least=16)], shown["owner"])
    folded = text.split("\n")[1:]
    assert "".join("".join(folded).split()) == "".join("".join(OWNERS).split())
    assert "…" not in text


def test_a_wider_terminal_has_more_columns_the_most_important_first():
    names = {width: [column.heading for column, _ in fitting(columns(), width)] for width in (80, 120, 160)}
    assert names[80] == ["severity", "owner", "comment", "last used (UTC)", "token"]
    assert names[120] == ["severity", "owner", "comment", "last used (UTC)", "status", "token"]
    assert names[160] == [column.heading for column in columns()]


def test_only_texts_that_may_be_cut_have_an_ellipsis():
    text = table(columns(), 90)
    assert "…" in text
    assert all(owner in text for owner in OWNERS if owner.isascii())


def test_a_text_that_may_be_cut_stays_readable_beside_one_that_can_be_wrapped():
    beside = [Column("comment", ["c" * 40], least=12, is_cut=True), Column("scopes", ["jobs, " * 10], least=12)]
    assert [wide for _, wide in fitting(beside, 60)] == [24, 34]
    assert [wide for _, wide in fitting(beside, 30)] == [16, 12]


def test_a_heading_is_folded_before_texts_are():
    lines = table(
        [Column("tokens without permission", ["yes"]), Column("owner", ["x" * 30], least=16)], 42
    ).splitlines()
    assert [line.split() for line in lines] == [["tokens"], ["without"], ["permission", "owner"], ["yes", "x" * 30]]


def test_colors_are_control_sequences_only_on_request():
    assert "\x1b" not in table(columns(), 80)
    colored = table(columns(), 80, is_colored=True)
    assert "\x1b[31mhigh\x1b[0m" in colored
    assert "\x1b[1mseverity\x1b[0m" in colored


def test_a_record_has_a_field_a_line_and_folds_long_values():
    lines = record({"owner": "ann@example.com", "token id": "ab" * 32, "findings": "high: a\nlow: b"}, 40).splitlines()
    assert lines[0] == "owner     ann@example.com"
    assert lines[1:4] == [f"token id  {'ab' * 15}", f"          {'ab' * 15}", f"          {'ab' * 2}"]
    assert lines[4:] == ["findings  high: a", "          low: b"]


def test_a_table_without_rows_has_headings():
    assert table([Column("a", []), Column("b", [])], 80) == "a  b"


@pytest.mark.parametrize(("width", "drawn"), DRAWN.items())
def test_a_table_is_drawn_for_its_width(width, drawn):
    assert table(SOME, width) == drawn.strip("\n")


@pytest.mark.parametrize(("width", "shown"), WIDTHS.items())
def test_columns_share_the_width_and_one_more_is_shown_where_texts_stay_readable(width, shown):
    assert ", ".join(f"{column.heading} {wide}" for column, wide in fitting(SOME, width)) == shown


def test_a_style_is_that_of_the_whole_text_and_blanks_have_none():
    colored = table(
        [Column("severity", ["high", "higher", ""], styles={"high": "red", "": "bold"})], 80, is_colored=True
    )
    assert colored.split("\n") == ["\x1b[1mseverity\x1b[0m", "\x1b[31mhigh\x1b[0m", "higher", ""]
    numbers = table([Column("days", ["7", "68"], is_number=True, styles={"7": "yellow"})], 80, is_colored=True)
    assert numbers.splitlines()[1:] == ["   \x1b[33m7\x1b[0m", "  68"]


def test_the_names_of_a_record_are_bold_and_its_values_keep_a_width_that_can_be_read():
    lines = record({"a long name": "x" * 12, "b": "y"}, 10, is_colored=True).splitlines()
    assert lines == ["\x1b[1ma long name\x1b[0m  xxxxxxxx", "             xxxx", "\x1b[1mb\x1b[0m            y"]
    assert "\x1b" not in record({"a": "b"}, 10)


def test_a_word_that_fills_a_line_exactly_is_not_broken_at_its_punctuation():
    cells = [Column("a", ["needed for ann.b-c.dd"], least=9), Column("b", ["x" * 20], least=8)]
    assert "ann.b-c.dd" in table(cells, 10 + 2 + 20)
    assert (
        "\n".join(line[:10].rstrip() for line in table(cells, 10 + 2 + 20).splitlines()[1:]) == "needed for\nann.b-c.dd"
    )


def test_words_are_whole_where_they_fit_and_are_broken_at_punctuation_where_they_do_not():
    principals = ["210f73cb-9265-4b51-a67d-e9ac306a1b7b", "ann.featherstone@example.com", "needed for https://a.b/c"]
    tall = [Column("principal", principals, least=8), Column("reason", ["its use is recorded"] * 3, least=8)]
    assert table(tall, 46).splitlines() == [
        "principal                             reason",
        "210f73cb-9265-4b51-a67d-e9ac306a1b7b  its use",
        "                                      is",
        "                                      recorded",
        "ann.featherstone@example.com          its use",
        "                                      is",
        "                                      recorded",
        "needed for https://a.b/c              its use",
        "                                      is",
        "                                      recorded",
    ]
    assert table(tall[:1], 16).splitlines() == [
        "principal",
        "210f73cb-9265-",
        "4b51-a67d-",
        "e9ac306a1b7b",
        "ann.featherstone",
        "@example.com",
        "needed for",
        "https://a.b/c",
    ]
