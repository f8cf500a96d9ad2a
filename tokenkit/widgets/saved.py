"""The explorer of a listing in memory, such as a saved one."""

from __future__ import annotations

import pandas as pd

from tokenkit import errors
from tokenkit.core.arguments import frame
from tokenkit.core.clock import clock_of
from tokenkit.output.snapshots import TAKEN_AT
from tokenkit.review.usage import checked
from tokenkit.widgets.explorer import Explorer
from tokenkit.widgets.model import Known
from tokenkit.widgets.source import Source


def explore(
    tokens: pd.DataFrame,
    *,
    findings: pd.DataFrame | None = None,
    usage: pd.DataFrame | None = None,
    now: pd.Timestamp | None = None,
    page_size: int = 50,
    plain: bool = False,
) -> Explorer:
    """Return an explorer of a listing in memory, such as a saved one. It has no actions.

    Args:
        tokens: A frame with ``token_id`` and any other columns of a listing.
        findings: The audit findings: a frame with ``token_id`` and ``rule``.
        usage: What used each token: the result of ``Workspace.usage``.
        now: The reference time of ages, if the frame does not have them.
        page_size: Number of rows per page, at most 500.
        plain: Whether the screen consists of ipywidgets alone.

    Raises:
        UsageError: The frame has no column ``token_id``, or ``usage`` is another frame.
    """
    frame("tokens", tokens, ("token_id",))
    for name in ("token_id", "workspace"):
        if name in tokens and len(tokens) and not pd.api.types.is_string_dtype(tokens[name].dropna()):
            raise errors.UsageError(f"{name} must be a column of texts.")
    if findings is not None:
        frame("findings", findings, ("token_id", "rule"))
    if usage is not None:
        checked(usage)
    moment = clock_of(tokens.attrs.get(TAKEN_AT) if now is None else now)()
    source = Source(
        name="a saved listing",
        read=lambda: (tokens, findings),
        now=lambda: moment,
        known=lambda: Known(usage=usage),
        is_saved=True,
    )
    return Explorer(source, page_size=page_size, plain=plain)
