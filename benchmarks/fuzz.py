"""Ask the sandbox whatever its description allows, and whatever it forbids: ``docs/sandbox-openapi.yaml``.

    python -m benchmarks.fuzz                    # about 20,000 requests, some minutes
    python -m benchmarks.fuzz --examples 20      # the short one, as in the tests
    python -m benchmarks.fuzz --seed 7           # other inputs

Schemathesis makes the requests, over real HTTP: for each operation inputs that fit the description and inputs that do
not, then scenarios in which what was made is read, changed and deleted. An answer must come in time, be no 5xx, and
conform to the description; a request without a credential must be refused, and what was deleted must be gone.
"""

from __future__ import annotations

import argparse
import contextlib
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as conformance

from tokenkit.sandbox import Sandbox

DESCRIPTION = Path(__file__).parent.parent / "docs" / "sandbox-openapi.yaml"
LONG = 300
_PATIENCE_SECONDS = 30
# What the others of Schemathesis hold is not so on the platform: an unknown parameter is ignored there, a method that a
# path does not have is 404, and text that fits the description may still name nobody.
_CHECKS: list[CheckFunction] = [
    not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
    conformance.ignored_auth,
    conformance.use_after_free,
    conformance.ensure_resource_availability,
]


def fuzz(sandbox: Sandbox, *, examples: int, seed: int) -> Counter[int]:
    """Ask, and return how often each status was answered.

    Args:
        sandbox: What is asked; it is another afterwards.
        examples: How many inputs for each operation and kind; a tenth of it is how many scenarios.
        seed: The same seed gives the same inputs.

    Raises:
        Exception: Schemathesis's own, with the request to repeat, for an answer that must not be.
    """
    description = schemathesis.openapi.from_path(DESCRIPTION)
    description.config.update(base_url=sandbox.host)  # the oldest Schemathesis forgets the option on its way
    sign_in = {"Authorization": f"Bearer {_access_token(sandbox)}"}
    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Schemathesis thinks of its own inputs
        options: dict[str, Any] = {
            "base_url": sandbox.host,
            "session": session,
            "headers": sign_in,
            "timeout": _PATIENCE_SECONDS,
        }
        for result in description.get_all_operations():
            for mode in GenerationMode:
                _each(result.ok(), mode, options, hypothesis.seed(seed), settings)
        _scenarios(description, options, hypothesis.seed(seed), settings)
    assert not sandbox.errors, sandbox.errors[0]
    return Counter(each.status for each in sandbox.requests)


def _each(operation: Any, mode: GenerationMode, options: dict[str, Any], seed: Any, settings: Any) -> None:  # noqa: ANN401
    """Send inputs of one kind to one operation."""

    @seed
    @settings
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:  # noqa: ANN401 - Schemathesis's own
        case.call_and_validate(checks=_CHECKS, **options)

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # where there is nothing to send that does not fit
        ask()


def _scenarios(description: Any, options: dict[str, Any], seed: Any, settings: Any) -> None:  # noqa: ANN401
    """Make things, then read, change and delete them, by the links of the description."""

    class Scenario(description.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002
            return options

        def validate_response(self, response: Any, case: Any, additional_checks: Any = None, **_: Any) -> None:  # noqa: ANN401, ARG002
            case.validate_response(response, checks=_CHECKS, headers=options["headers"], transport_kwargs=options)

    scenarios = hypothesis.settings(settings, max_examples=max(1, settings.max_examples // 10), stateful_step_count=20)
    hypothesis.stateful.run_state_machine_as_test(seed(Scenario), settings=scenarios)


def _access_token(sandbox: Sandbox) -> str:
    """Sign in by OAuth: a fuzzer that switches tokens off would lock itself out if it came with one."""
    answer = requests.post(
        f"{sandbox.host}/oidc/v1/token",
        data={"grant_type": "client_credentials"},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=_PATIENCE_SECONDS,
    )
    return str(answer.json()["access_token"])


def main() -> None:
    """Run it, and print what was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=LONG, help=f"inputs for each operation and kind ({LONG})")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.perf_counter()
    with Sandbox(tokens=50) as sandbox:
        answered = fuzz(sandbox, examples=options.examples, seed=options.seed)
    print(f"{answered.total():,} requests in {time.perf_counter() - begun:.0f} s; by status:")
    for status, count in sorted(answered.items()):
        print(f"{status}  {count:8,}")


if __name__ == "__main__":
    main()
