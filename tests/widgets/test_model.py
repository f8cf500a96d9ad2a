"""The model: combined filters, counts of choices, pages, and a stable selection."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.output import export
from tokenkit.widgets.facets import Span
from tokenkit.widgets.listing import completed
from tokenkit.widgets.model import Model
from tokenkit.widgets.paging import LARGEST_PAGE


@pytest.fixture(scope="module")
def tokens():
    with tokenkit.sandbox.Sandbox(tokens=400, clock=NOW.timestamp) as sandbox:
        return tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW).tokens()


@pytest.fixture
def findings(tokens):
    idle = tokens[tokens["idle_days"] > 30]
    return pd.DataFrame({"rule": "unused", "severity": "medium", "token_id": idle["token_id"], "evidence": "long"})


@pytest.fixture
def model(tokens, findings):
    return Model(completed(tokens, now=NOW), findings, page_size=25)


def test_combined_filters_agree_with_pandas(model, tokens):
    model.narrow(text="PROD", status="active", idle=Span(3, 40))
    texts = tokens[["comment", "owner", "created_by_username", "token_id"]].fillna("")
    hit = texts.apply(lambda column: column.str.lower().str.contains("prod", regex=False)).any(axis=1)
    days = np.floor(tokens["idle_days"].to_numpy(dtype=float, na_value=np.nan))
    kept = tokens[hit & (tokens["status"] == "active") & (days >= 3) & (days <= 40)]
    assert 0 < len(kept) < len(tokens)
    assert model.filtered["token_id"].tolist() == kept["token_id"].tolist()
    assert model.matching == len(kept)
    model.widen()
    assert model.matching == len(tokens)


def test_the_count_of_a_choice_is_the_number_of_tokens_that_it_keeps(model):
    model.narrow(status="active", text="a", rule="unused")
    for name in model.facets:
        for choice, count in model.counts(name).items():
            chosen = model.filters.get(name)
            model.narrow(**{name: choice})
            assert model.matching == count, (name, choice)
            model.narrow(**{name: chosen})


def test_the_rule_of_a_finding_is_a_filter(model, findings):
    model.narrow(rule="unused")
    assert set(model.filtered["token_id"]) == set(findings["token_id"])
    assert model.findings_of(model.rows_on_page())["token_id"].tolist() == model.keys_on_page()


@pytest.mark.parametrize("column", ["owner", "idle_days", "expiry_time", "scopes", "comment", "never_expires"])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_every_token_and_puts_absent_values_last(model, tokens, column, descending):
    model.sort(column, descending=descending)
    ordered = model.filtered
    assert set(ordered["token_id"]) == set(tokens["token_id"])
    absent = ordered[column].isna().tolist()
    assert absent == sorted(absent)
    if column in {"idle_days", "expiry_time"}:
        known = ordered[column].dropna()
        assert known.is_monotonic_decreasing if descending else known.is_monotonic_increasing
    model.sort(None)
    assert model.filtered["token_id"].tolist() == tokens["token_id"].tolist()


def test_pages_contain_every_token_once_and_at_most_500(model, tokens):
    seen = []
    for page in range(model.pages):
        model.turn(page)
        assert len(model.on_page()) <= 25
        seen += model.on_page()["token_id"].tolist()
    assert seen == tokens["token_id"].tolist()
    model.turn(10_000)
    assert model.page == model.pages - 1
    model.turn(-3)
    assert model.page == 0
    assert Model(completed(tokens, now=NOW), page_size=10_000).page_size == LARGEST_PAGE


def test_a_filter_goes_to_the_first_page_and_without_matches_to_an_empty_one(model):
    model.turn(3)
    model.narrow(status="active")
    assert model.page == 0
    model.narrow(text="there is no such token")
    assert (model.matching, model.pages, len(model.on_page())) == (0, 1, 0)


MOVES = {
    "filter": lambda model, _: model.narrow(status="expired", text="zzz"),
    "sort": lambda model, _: model.sort("owner", descending=True),
    "page": lambda model, _: model.turn(2),
    "page size": lambda model, _: setattr(model, "page_size", 7),
    "refresh": lambda model, tokens: model.replace(completed(tokens, now=NOW)),
    "refresh in another order": lambda model, tokens: model.replace(completed(tokens.iloc[::-1], now=NOW)),
}


@pytest.mark.parametrize("move", MOVES)
def test_moving_rows_does_not_change_the_selection(model, tokens, move):
    page = model.on_page()["token_id"].tolist()
    model.choose(page[3:6], page)
    MOVES[move](model, tokens)
    assert model.selection == set(page[3:6])
    assert set(model.selected["token_id"]) == set(page[3:6])


def test_a_page_or_all_matching_tokens_are_added_to_the_selection(model):
    first = model.on_page()["token_id"].tolist()
    model.choose(first[:2], first)
    model.turn(1)
    second = model.on_page()["token_id"].tolist()
    model.choose(second[:1], second)
    assert model.selection == {*first[:2], *second[:1]}
    model.choose([], second)
    assert model.selection == set(first[:2])
    model.narrow(status="expired")
    model.choose_matching()
    assert model.selection == {*first[:2], *model.filtered["token_id"]}
    assert model.hidden == len(set(first[:2]) - set(model.filtered["token_id"]))
    model.choose_none()
    assert model.selected.empty


def test_a_new_listing_removes_missing_tokens_from_the_selection_and_counts_them(model, tokens):
    model.choose(tokens["token_id"].tolist()[:10], [])
    assert model.replace(completed(tokens.iloc[4:], now=NOW)) == 4
    assert model.selection == set(tokens["token_id"].tolist()[4:10])


def test_a_filter_survives_a_refresh_even_without_tokens_of_its_choice(model, tokens):
    model.narrow(status="expired")
    model.replace(completed(tokens[tokens["status"] == "active"], now=NOW))
    assert model.matching == 0
    assert model.filters == {"status": "expired"}


def test_a_saved_listing_is_read_back_from_every_format(tokens):
    raw = tokens[list(tokenkit.frames.TOKEN_COLUMNS)]
    csv = pd.read_csv(io.StringIO(export.csv_text(tokens)))
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(tokens).replace_schema_metadata(), parquet)
    arrow = pd.read_parquet(parquet, dtype_backend="pyarrow")
    for saved in (raw, csv, arrow, pd.DataFrame(export.records(raw))):
        model = Model(completed(saved, now=NOW))
        model.narrow(status="expired")
        assert set(model.filtered["token_id"]) == set(tokens.loc[tokens["status"] == "expired", "token_id"])
        model.widen()
        assert {k: v for k, v in model.counts("scope").items() if v} == {
            k: v for k, v in Model(tokens).counts("scope").items() if v
        }
        assert model.counts("expiry") == Model(tokens).counts("expiry")


def test_a_frame_with_only_ids_can_be_explored_and_one_without_ids_cannot():
    model = Model(completed(pd.DataFrame({"token_id": ["a", "b"]}), now=NOW))
    assert model.counts("status") == {"active": 2}
    assert model.matching == 2
    with pytest.raises(tokenkit.UsageError, match="token_id"):
        completed(pd.DataFrame({"id": ["a"]}), now=NOW)


def test_an_invalid_time_is_an_error_that_names_its_column():
    with pytest.raises(tokenkit.UsageError, match="Column expiry_time has a value that is not an ISO 8601 time"):
        completed(pd.DataFrame({"token_id": ["a"], "expiry_time": ["next week"]}), now=NOW)


def test_an_empty_listing_has_no_choices_and_one_page(tokens):
    model = Model(completed(tokens.iloc[:0], now=NOW))
    model.narrow(text="x")
    model.sort("owner")
    assert (model.matching, model.pages) == (0, 1)
    assert model.counts("owner") == {}


def test_tokens_of_several_workspaces_have_different_keys(tokens):
    half = len(tokens) // 2
    fleet = tokens.assign(workspace=["https://a.example.com"] * half + ["https://b.example.com"] * (len(tokens) - half))
    model = Model(completed(fleet, now=NOW))
    model.narrow(workspace="https://a.example.com")
    assert model.matching == half


def test_the_same_id_in_two_workspaces_is_two_tokens(tokens):
    a, b = (tokens.head(3).assign(workspace=f"https://{name}.example.com") for name in "ab")
    found = pd.DataFrame({"workspace": b["workspace"].iloc[:1], "token_id": b["token_id"].iloc[:1], "rule": ["old"]})
    model = Model(completed(pd.concat([a, b]), now=NOW), found)
    model.narrow(workspace="https://b.example.com")
    model.choose(model.keys_on_page()[:1], [])
    expected = b[["workspace", "token_id"]].head(1).to_dict("records")
    assert model.selected[["workspace", "token_id"]].to_dict("records") == expected
    assert model.hidden == 0
    assert model.counts("rule") == {"old": 1}
    model.widen()
    model.narrow(rule="old")
    assert model.filtered["workspace"].tolist() == ["https://b.example.com"]
    assert model.replace(completed(a, now=NOW)) == 1
