"""What comes back of a frame that was carried elsewhere: docs/frames.md, row by row."""

import ast
import io
import pickle
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import dask
import dask.dataframe
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tokenkit
from tokenkit import frames

PAGE = (Path(__file__).parent.parent / "docs" / "frames.md").read_text("utf-8")
PROMISES = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", PAGE, re.MULTILINE)[1:])
LISTS = [field.name for field in frames.TOKENS if field.type == frames.TEXTS]


@pytest.fixture
def tokens(sandbox, connected):
    """A listing with full, empty and absent lists, in which one column has none at all."""
    listing = connected(sandbox).tokens().head(40)
    assert {type(cell) for cell in listing["scopes"]} == {list, type(None)}
    next(cell for cell in listing["scopes"] if cell).clear()
    return listing.assign(backfill_scopes=pd.Series([None] * len(listing), listing.index, dtype=object))


def in_a_second_process(tokens, folder):
    tokens.to_pickle(folder / "a.pickle")
    program = (
        "import pandas, sys; tokens = pandas.read_pickle('a.pickle'); assert 'tokenkit' not in sys.modules; "
        "assert {type(cell) for cell in tokens['scopes']} == {list, type(None)}; tokens.to_pickle('b.pickle')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder)
    return pd.read_pickle(folder / "b.pickle")  # noqa: S301 - our own


def by_parquet(tokens, folder):
    tokens.to_parquet(folder / "a.parquet")
    return pd.read_parquet(folder / "a.parquet")


def by_pyarrow(tokens, folder):
    pq.write_table(pa.Table.from_pandas(tokens), folder / "a.parquet")
    return pq.read_table(folder / "a.parquet").to_pandas()


def by_feather(tokens, folder):
    tokens.to_feather(folder / "a.feather")
    return pd.read_feather(folder / "a.feather")


def by_arrow(tokens, _):
    return pa.Table.from_pandas(tokens).to_pandas()


def by_polars(tokens, _):
    return pd.DataFrame(pl.from_pandas(tokens).to_dicts())


def by_duckdb(tokens, _):
    with duckdb.connect() as connection:
        found = connection.from_arrow(frames.to_arrow(tokens)).fetchall()
    return pd.DataFrame(found, columns=list(tokens))


def by_dask(tokens, _):
    with dask.config.set({"dataframe.convert-string": False}):
        return dask.dataframe.from_pandas(tokens, npartitions=2).compute()


def by_dask_as_it_is(tokens, _):
    return dask.dataframe.from_pandas(tokens, npartitions=2).compute()


def by_json(tokens, _):
    return pd.read_json(io.StringIO(tokens.to_json(orient="records", date_format="iso")))


def by_csv(tokens, _):
    return pd.read_csv(io.StringIO(tokens.to_csv(index=False)))


def by_sqlite(tokens, _):
    connection = sqlite3.connect(":memory:")
    try:
        tokens.to_sql("tokens", connection)
    finally:
        connection.close()


def by_excel(tokens, folder):
    tokens.to_excel(folder / "a.xlsx")


WAYS = {
    "`pickle`, in a second process too": in_a_second_process,
    "Parquet by pandas": by_parquet,
    "Parquet by pyarrow": by_pyarrow,
    "Feather": by_feather,
    "Arrow": by_arrow,
    "polars": by_polars,
    "DuckDB": by_duckdb,
    "dask, with `dataframe.convert-string` off": by_dask,
    "dask, by default": by_dask_as_it_is,
    "JSON, `to_json` and `read_json`": by_json,
    "CSV, `to_csv` and `read_csv`": by_csv,
    "SQLite, `to_sql`": by_sqlite,
    "Excel, `to_excel`": by_excel,
}
EXTERNALLY = {
    "`tokenkit.read_snapshot(ws.snapshot())`": "test_snapshots.py",
    "Spark, by `tokenkit.frames.to_arrow`": "test_spark.py",
}


def test_the_page_has_a_row_for_each_way_that_is_tried():
    assert PROMISES.keys() == WAYS.keys() | EXTERNALLY.keys()


def plain(frame, *, but=()):
    """Return rows as Python's values: what is absent as None, times as they are at UTC."""

    def value(cell):
        if isinstance(cell, list | np.ndarray):
            return list(cell)
        if cell is None or pd.isna(cell):
            return None
        return pd.Timestamp(cell).tz_convert("UTC") if hasattr(cell, "tzinfo") else cell

    kept = [name for name in frame if name not in but]
    return [tuple(map(value, row)) for row in frame[kept].astype(object).itertuples(index=False)]


def cells(frame):
    return {type(cell) for name in LISTS for cell in frame[name] if not (np.isscalar(cell) or cell is None)} - {
        type(pd.NA)
    }


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_back_is_what_the_page_says(tokens, tmp_path, way):
    promise = PROMISES[way]
    if promise.startswith("error: "):
        with pytest.raises(Exception, match=r"Execution failed|not support") as raised:
            WAYS[way](tokens, tmp_path)
        assert (
            promise.removeprefix("error: ") in f"{raised.value} {raised.value.__cause__}"
        )  # SQLite says it, not pandas
        return
    back = WAYS[way](tokens, tmp_path)
    if promise == "equal":
        # Not the dtype of text, which dask and pandas 2.2 call otherwise.
        pd.testing.assert_frame_equal(back, tokens, check_dtype="dask" not in way)
        assert cells(back) == {list}
    elif promise.startswith("equal values"):
        assert plain(back) == plain(tokens)
        assert cells(back) == ({np.ndarray} if "NumPy" in promise else {list})
    elif promise.startswith("lists are lists"):
        assert plain(back[LISTS[:1]]) == plain(tokens[LISTS[:1]])
    else:
        assert promise.startswith("lists are text")
        read = back["scopes"].map(ast.literal_eval, na_action="ignore")
        assert plain(read.to_frame()) == plain(tokens[["scopes"]])


def test_rows_have_lists_in_every_kind_of_iteration(tokens):
    expected = {list, type(None)}
    assert set(tokens.apply(lambda row: type(row["scopes"]), axis=1)) == expected
    assert {type(row["scopes"]) for _, row in tokens.iterrows()} == expected
    assert {type(row.scopes) for row in tokens.itertuples()} == expected
    assert {type(row["scopes"]) for row in tokens.to_dict("records")} == expected
    assert {type(row[list(tokens).index("scopes")]) for row in tokens.to_numpy()} == expected
    assert set(tokens["scopes"].map(type)) == expected
    assert {type(cell) for cell in tokens.convert_dtypes()["scopes"]} == expected
    assert "scopes" not in tokens.compare(tokens.assign(comment="other"))
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        tokens.drop_duplicates()


def test_every_frame_with_lists_has_python_lists(sandbox, connected):
    workspace = connected(sandbox)
    tokens = workspace.tokens()
    found = {
        "groups": (workspace.groups(), "members"),
        "users": (workspace.users(), "groups"),
        "scopes": (workspace.scopes(), "used_scopes"),
        "update": (workspace.plan_update(tokens.head(2), scopes=["sql"]).preview(), "new_scopes"),
        "snapshot": (tokenkit.read_snapshot(workspace.snapshot()), "scopes"),
        "empty": (workspace.tokens("token_id == 'none'"), "scopes"),
    }
    for name, (frame, column) in found.items():
        assert frame[column].dtype == object, name
        assert {type(cell) for cell in frame[column]} <= {list, type(None)}, name
    assert pickle.loads(pickle.dumps(tokens)).equals(tokens)  # noqa: S301 - our own
