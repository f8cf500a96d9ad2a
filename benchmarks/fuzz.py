"""Fuzz the sandbox with requests that ``docs/sandbox-openapi.yaml`` allows or forbids.

    python -m benchmarks.fuzz                    # about 20,000 requests, a few minutes
    python -m benchmarks.fuzz --examples 20      # the short form, as in the tests
    python -m benchmarks.fuzz --seed 7           # other inputs

Schemathesis generates the requests and sends them over real HTTP: valid and invalid inputs for each operation, then
scenarios that create, read, change and delete resources. A response must arrive in time, must not be a 5xx and must
match the description. A request without a credential must fail, and a deleted resource must not be found.
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
_TIMEOUT_SECONDS = 30
# The other checks of Schemathesis do not apply to the platform: it ignores unknown parameters, sends 404 for an unknown
# method, and a valid string can name an identity that does not exist.
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
    """Send the requests, and return the number of responses by status.

    Args:
        sandbox: The sandbox to test. Its state changes.
        examples: Number of inputs for each operation and kind. The number of scenarios is a tenth of this.
        seed: The same seed gives the same inputs.

    Raises:
        Exception: An exception of Schemathesis, with the request to reproduce an invalid response.
    """
    description = schemathesis.openapi.from_path(DESCRIPTION)
    description.config.update(
        base_url=sandbox.host
    )  # the oldest supported Schemathesis ignores the option in the loader
    headers = {"Authorization": f"Bearer {_access_token(sandbox)}"}
    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Schemathesis warns about its own inputs
        options: dict[str, Any] = {
            "base_url": sandbox.host,
            "session": session,
            "headers": headers,
            "timeout": _TIMEOUT_SECONDS,
        }
        for result in description.get_all_operations():
            for mode in GenerationMode:
                _fuzz_operation(result.ok(), mode, options, hypothesis.seed(seed), settings)
        _scenarios(description, options, hypothesis.seed(seed), settings)
    assert not sandbox.errors, sandbox.errors[0]
    return Counter(record.status for record in sandbox.requests)


def _fuzz_operation(operation: Any, mode: GenerationMode, options: dict[str, Any], seed: Any, settings: Any) -> None:  # noqa: ANN401
    """Send inputs of one kind to one operation."""

    @seed
    @settings
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:  # noqa: ANN401  # a case of Schemathesis
        case.call_and_validate(checks=_CHECKS, **options)

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # there are no invalid inputs
        send()


def _scenarios(description: Any, options: dict[str, Any], seed: Any, settings: Any) -> None:  # noqa: ANN401
    """Create resources, then read, change and delete them, following the links of the description."""

    class Scenario(description.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002
            return options

        def validate_response(self, response: Any, case: Any, additional_checks: Any = None, **_: Any) -> None:  # noqa: ANN401, ARG002
            case.validate_response(response, checks=_CHECKS, headers=options["headers"], transport_kwargs=options)

    scenarios = hypothesis.settings(settings, max_examples=max(1, settings.max_examples // 10), stateful_step_count=20)
    hypothesis.stateful.run_state_machine_as_test(seed(Scenario), settings=scenarios)


def _access_token(sandbox: Sandbox) -> str:
    """Return an OAuth token. With a personal access token, the fuzzer would lock itself out by disabling tokens."""
    response = requests.post(
        f"{sandbox.host}/oidc/v1/token",
        data={"grant_type": "client_credentials"},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=_TIMEOUT_SECONDS,
    )
    return str(response.json()["access_token"])


def main() -> None:
    """Fuzz a sandbox, and print the number of responses by status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=LONG, help=f"inputs for each operation and kind ({LONG})")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    with Sandbox(tokens=50) as sandbox:
        statuses = fuzz(sandbox, examples=options.examples, seed=options.seed)
    print(f"{statuses.total():,} requests in {time.perf_counter() - start:.0f} s; by status:")
    for status, count in sorted(statuses.items()):
        print(f"{status}  {count:8,}")


if __name__ == "__main__":
    main()
