"""A run, its entries and their steps, for tests of what is written and read."""

from tests.conftest import NOW
from tokenkit.actions.journal import Entry, Run, Step

RUN = Run(
    run_id="20260301-093000-00000001",
    kind="revoke",
    host="https://a",
    workspace_id="17",
    workspace="a",
    origin="profile prod",
    caller="ann",
    reason="because",
    started_at=NOW,
    settings={"workers": 16},
)


def entries(*names, **more):
    return [Entry(token_id=name, owner="bob", snapshot={"token_id": name, "comment": "c"}, **more) for name in names]


def as_before(_name, given):
    """Accept the comment, as versions did that did not refuse one with a credential. Their journals are read."""
    return given


def step(token_id, state, **more):
    return Step(run_id=RUN.run_id, token_id=token_id, state=state, at_ms=1_772_357_400_000, **more)
