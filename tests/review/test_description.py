"""One pipeline from a listing to described tokens: the columns of the times, then those of the owners."""

import pandas as pd

from tests.conftest import NOW
from tokenkit.review import lifecycle, owners
from tokenkit.review.description import described, described_alone

DERIVED = {"status", "idle_days", "effective_end", "owner", "owner_kind", "owner_active"}


def test_a_described_token_has_what_its_times_mean_and_its_owner(workspace):
    listing = workspace.listing()
    tokens = described(listing, now=NOW, **workspace.owners())
    assert set(tokens.columns) >= DERIVED
    aged = lifecycle.with_lifecycle(listing, now=NOW)
    pd.testing.assert_frame_equal(tokens, owners.with_owners(aged, **workspace.owners()))
    assert set(tokens["owner_kind"]) > {"user", "service_principal"}


def test_a_listing_alone_does_not_say_what_kind_its_owners_are(workspace):
    tokens = described_alone(workspace.listing(), now=NOW)
    assert set(tokens.columns) >= DERIVED
    assert set(tokens["owner_kind"]) == {"unknown"}
