"""The page about error responses, from the table of the messages: ``python -m tokenkit.commands.error_responses``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import resources
from string import Template

from tokenkit import errors
from tokenkit.rest import responses
from tokenkit.rest.responses import CAUSES, Cause
from tokenkit.sandbox.serving.faults import Fault
from tokenkit.sandbox.serving.recorded import RECORDED_RESPONSES

_REQUEST = "GET /api/2.0/token-management/tokens"


def page() -> str:
    """Return the page as Markdown."""
    sections: dict[type[errors.ApiError], dict[str, list[Cause]]] = {}
    for cause in CAUSES:
        sections.setdefault(cause.error, {}).setdefault(cause.advice, []).append(cause)
    names = {name: cause_of(name) for name in RECORDED_RESPONSES}
    text = "".join(_section(error, rows, names) for error, rows in sections.items())
    malformed = next(_shown(name) for name, cause in names.items() if cause is None)
    template = Template(resources.files(__package__).joinpath("error_responses.md").read_text(encoding="utf-8"))
    return template.substitute(sections=text, invalid=_doc(errors.InvalidResponseError), example=malformed)


def cause_of(name: str) -> Cause | None:
    """Return the first row that matches a recorded error response; None for a response with status 200.

    Args:
        name: The name of the response in the sandbox.
    """
    error = _error(name)
    if not isinstance(error, errors.ApiError):
        return None
    return next(cause for cause in CAUSES if type(error) is cause.error and _advice(cause) in str(error))


def _section(
    error: type[errors.ApiError], rows: Mapping[str, Iterable[Cause]], names: Mapping[str, Cause | None]
) -> str:
    lines = "".join(_row(causes, names) for causes in rows.values())
    return f"\n## `{error.__name__}`\n\n{_doc(error)}\n\n{lines}"


def _row(causes: Iterable[Cause], names: Mapping[str, Cause | None]) -> str:
    rows = list(causes)
    advice = _advice(rows[0])
    known = [name for name, cause in names.items() if cause is not None and _is_of(cause, rows)]
    criteria = "; ".join(dict.fromkeys(map(_criteria, rows)))
    quotes = "".join(f"\n  Example `{name}`:\n\n  > {_shown(name)}\n" for name in known)
    return f"- **{advice}** Condition: {criteria}.\n{quotes}"


def _is_of(cause: Cause, rows: Iterable[Cause]) -> bool:
    return any(row.error is cause.error and row.advice == cause.advice for row in rows)


def _criteria(cause: Cause) -> str:
    """Return how a response is recognized. The examples show the sentences."""
    statuses = sorted(cause.on)
    is_range = len(statuses) > 9
    parts = [
        "the code " + " or ".join(f"`{code}`" for code in sorted(cause.codes)) if cause.codes else "",
        f"a status from {statuses[0]} to {statuses[-1]}" if is_range else "",
        "the status " + " or ".join(map(str, statuses)) if statuses and not is_range else "",
        cause.form,
        "a matching sentence" if cause.pattern else "",
    ]
    return " and ".join(filter(None, parts)) or "any other response"


def _advice(cause: Cause) -> str:
    return cause.advice.format(scope="the scope 'authentication'", renewal=responses.RENEWAL)


def _shown(name: str) -> str:
    return str(_error(name))


def _error(name: str) -> errors.TokenKitError:
    response = Fault.named(name).response(None)
    if response.status == 200:
        return responses.malformed(response.body, _REQUEST, "prod")
    return responses.api_error(
        response.status,
        response.body,
        reason="",
        headers=response.headers,
        request=_REQUEST,
        credential="",
        name="prod",
    )


def _doc(error: type[errors.TokenKitError]) -> str:
    return str(error.__doc__).partition("\n\n")[0].replace("``", "`")


if __name__ == "__main__":
    sys.stdout.write(page())
