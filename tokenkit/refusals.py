"""The page about refusals, made from the table of the messages: ``python -m tokenkit.refusals > docs/refusals.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from tokenkit import errors
from tokenkit.rest import answers
from tokenkit.rest.answers import CAUSES, Cause
from tokenkit.sandbox.faults import Fault
from tokenkit.sandbox.recorded import REFUSALS

_REQUEST = "GET /api/2.0/token-management/tokens"
_HEAD = """# When something is refused

Made by `python -m tokenkit.refusals` from the table that the messages come from, `CAUSES` in
`tokenkit/rest/answers.py`.

A message says what the workspace, or something on the way to it, responded, the next step, and the request. Its class
says which kind it is: `except tokenkit.errors.AuthenticationError`. Where several rows fit a response, the first in the
table counts: a sentence says more than a code, and a code more than a status. *Try again later* comes after every retry
that the time for it allowed, five minutes unless `connect` was told otherwise; a run that revokes waits for as long as
it takes where there were too many requests.

A refusal never counts as a deletion. A run that is ended early by one says so and keeps what is left in the journal,
for `tokenkit resume`. A deletion whose response says neither is looked up, and is `unknown` where that cannot tell.

To see what one looks like, give its name to a sandbox, `tokenkit sandbox --fault NAME`, and connect to it; in Python it
is `sandbox.faults.add("NAME")`.
"""
_MALFORMED = """
## `MalformedAnswerError`

{doc}

- **Check that the host is the workspace's own address and that no proxy stands in between.** It comes with a status
  that says that all is well, so it is none of the table.

  `login-page` shows it:

  > {text}
"""


def page() -> str:
    """Return the page as Markdown."""
    sections: dict[type[errors.ApiError], dict[str, list[Cause]]] = {}
    for cause in CAUSES:
        sections.setdefault(cause.error, {}).setdefault(cause.advice, []).append(cause)
    names = {name: cause_of(name) for name in REFUSALS}
    text = "".join(_section(error, rows, names) for error, rows in sections.items())
    malformed = next(_shown(name) for name, cause in names.items() if cause is None)
    return f"{_HEAD}{text}{_MALFORMED.format(doc=_doc(errors.MalformedAnswerError), text=malformed)}"


def cause_of(name: str) -> Cause | None:
    """Return the first row with what a recorded refusal is told; None of one that comes as if all were well.

    Args:
        name: As the sandbox has it.
    """
    error = _error(name)
    if not isinstance(error, errors.ApiError):
        return None
    return next(each for each in CAUSES if type(error) is each.error and _advice(each) in str(error))


def _section(
    error: type[errors.ApiError], rows: Mapping[str, Iterable[Cause]], names: Mapping[str, Cause | None]
) -> str:
    lines = "".join(_row(causes, names) for causes in rows.values())
    return f"\n## `{error.__name__}`\n\n{_doc(error)}\n\n{lines}"


def _row(causes: Iterable[Cause], names: Mapping[str, Cause | None]) -> str:
    kinds = list(causes)
    advice = _advice(kinds[0])
    known = [name for name, cause in names.items() if cause is not None and _is_of(cause, kinds)]
    ways = "; ".join(dict.fromkeys(map(_comes, kinds)))
    quotes = "".join(f"\n  `{name}` shows it:\n\n  > {_shown(name)}\n" for name in known)
    return f"- **{advice}** It comes with {ways}.\n{quotes}"


def _is_of(cause: Cause, kinds: Iterable[Cause]) -> bool:
    return any(each.error is cause.error and each.advice == cause.advice for each in kinds)


def _comes(cause: Cause) -> str:
    """Return how a refusal of a kind is recognized, as far as words that vary can be left to the examples."""
    statuses = sorted(cause.statuses)
    whole = len(statuses) > 9
    parts = [
        "the code " + " or ".join(f"`{code}`" for code in sorted(cause.codes)) if cause.codes else "",
        f"a status from {statuses[0]} to {statuses[-1]}" if whole else "",
        "the status " + " or ".join(map(str, statuses)) if statuses and not whole else "",
        "a page of HTML" if cause.is_page else "",
        "words that say so" if cause.sentence.pattern else "",
    ]
    return " and ".join(filter(None, parts)) or "anything else"


def _advice(cause: Cause) -> str:
    return cause.advice.format(scope="the scope 'authentication'")


def _shown(name: str) -> str:
    return str(_error(name))


def _error(name: str) -> errors.TokenKitError:
    answer = Fault.named(name).answer(None)
    if answer.status == 200:
        return answers.malformed(answer.body, _REQUEST, "prod")
    return answers.refusal(
        answer.status,
        answer.body,
        reason="",
        headers=answer.headers,
        request=_REQUEST,
        credential="",
        name="prod",
    )


def _doc(error: type[errors.TokenKitError]) -> str:
    return str(error.__doc__).partition("\n\n")[0].replace("``", "`")


if __name__ == "__main__":
    sys.stdout.write(page())
