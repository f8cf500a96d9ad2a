"""The listing before a change of permissions: kept until it is known what the change deleted."""

import pandas as pd
import pytest

from tokenkit import errors
from tokenkit.actions import listing_before

RUN = "20260301-093000-1a2b3c4d"


def test_a_listing_is_read_as_it_was_kept_until_it_is_forgotten(ws, tmp_path):
    tokens = ws.tokens().assign(comment="nightly export")
    listing_before.keep(tmp_path, RUN, tokens)
    read = listing_before.read(tmp_path, RUN)
    pd.testing.assert_frame_equal(read, tokens[read.columns], check_dtype=False)
    assert {"token_id", "comment", "owner"} <= {*read.columns}
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    for _ in range(2):  # another process may have forgotten it
        listing_before.forget(tmp_path, RUN)
        assert listing_before.read(tmp_path, RUN) is None


def test_what_looks_like_a_credential_is_not_kept(ws, tmp_path):
    tokens = ws.tokens().assign(comment="dapi" + "0" * 32)
    listing_before.keep(tmp_path, RUN, tokens)
    assert listing_before.read(tmp_path, RUN)["comment"].eq("[redacted]").all()


def test_a_listing_that_cannot_be_kept_is_an_error_before_the_request(ws, tmp_path):
    (tmp_path / f"{RUN}.before.parquet").mkdir()
    with pytest.raises(errors.JournalError, match=r"cannot be written: .*irectory\. No request was sent\.$"):
        listing_before.keep(tmp_path, RUN, ws.tokens())


def test_a_file_that_is_no_listing_is_as_none(tmp_path):
    (tmp_path / f"{RUN}.before.parquet").write_bytes(b"PAR1")
    assert listing_before.read(tmp_path, RUN) is None
