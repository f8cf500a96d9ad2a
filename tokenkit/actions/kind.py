"""What a confirmation, ``resume`` and the journal have to know about a kind of run. Each kind's module has its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenkit.core.wording import pluralize

ONLY_LEFT_OUT = "record the outcomes of the tokens that are left out"
"""What a run does of which no other tokens remain."""


@dataclass(frozen=True, kw_only=True)
class RunKind:
    """A kind of run.

    Attributes:
        name: Its name in the journal.
        doing: What such a run does, as the confirmation asks it; ``{}`` stands for the number of tokens.
        doing_without_tokens: The same for a run that affects no token, if it differs.
        deletes_tokens: Whether it deletes tokens, so that a token that is gone after a lost response is gone by our
            hand.
        is_one_change: Whether it is one request, whose states are recorded beside those of the tokens. Otherwise it is
            a request for each token, and tokens that drifted or are protected are skipped.
        check_last_use: Whether a token that was used since the plan is skipped.
        settings: What its settings have to contain for ``resume``, by name: a type, or a list of it.
    """

    name: str
    doing: str
    deletes_tokens: bool
    doing_without_tokens: str = ""
    is_one_change: bool = False
    check_last_use: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    def what_is_done(self, count: int) -> str:
        """Return what such a run does to a number of tokens, for the confirmation."""
        doing = self.doing if count else self.doing_without_tokens or self.doing
        return doing.format(pluralize(count, "token"))
