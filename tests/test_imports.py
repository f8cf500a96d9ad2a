"""What ``import tokenkit`` loads, and what it must not."""

import contextlib
import os
import sqlite3
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tokenkit
from tokenkit.sandbox import Sandbox

HEAVY = [
    "databricks.sdk",
    "jupyterlab",
    "matplotlib",
    "openpyxl",
    "pyspark",
    "IPython",
    "ipywidgets",
    "anywidget",
    "rich",
    "tqdm",
    "click",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "platformdirs",
    "tomllib",
    "html",
    "jinja2",
    "tokenkit.output.report",
    "tokenkit.output.charts",
]
"""What not everybody who connects needs. The small ones add up: without them the import is where ``benchmarks.listing``
wants it."""


SLOW = {"pandas", "pyarrow", "numpy", "requests", "rich", "IPython", "databricks.sdk", "jinja2", "sqlite3", "tomllib"}
"""What a command line must not wait for before it does anything."""


def loaded_by(statement, **environment):
    program = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def modules():
    return loaded_by("import tokenkit; tokenkit.connect, tokenkit.fleet")


@pytest.mark.parametrize("name", HEAVY)
def test_connecting_does_not_import(modules, name):
    assert "pandas" in modules
    assert name not in modules


def test_the_package_alone_imports_none_of_its_modules():
    loaded = [name for name in loaded_by("import tokenkit") if name.startswith("tokenkit")]
    assert loaded == ["tokenkit.version", "tokenkit"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "--version",
        "list --help",
        "audit --help",
        "permissions --help",
        "lst",
        "rm x",
        "list --ownr x",
        "list --idle 90",
        "list --status actve",
        "list --output xml",
        "list --limit x",
        "permissions add analysts",
        "create-obo x --lifetime never",
    ],
)
def test_help_the_version_and_usage_errors_start_in_a_blink(line):
    loaded = loaded_by(f"from tokenkit import cli; assert cli.main({line.split()}) in (0, 2)")
    assert not SLOW & set(loaded)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tokenkit li", "list"),
        ("tokenkit permissions ", "show"),
        ("tokenkit list --ow", "--owner"),
        ("tokenkit list --profile ", "sandbox"),
        ("tokenkit list --status ", "active"),
        ("tokenkit list --columns own", "owner_kind"),
        ("tokenkit audit --rule no-", "no-expiry"),
        ("tokenkit audit --fail-on ", "medium"),
    ],
)
def test_completion_starts_in_a_blink(words, offered):
    loaded = loaded_by_completion(words)
    assert offered in loaded  # it is printed before the modules
    assert not SLOW & set(loaded)


def test_completion_reads_a_snapshot_and_the_journal_without_pandas(tmp_path):
    (tmp_path / "home" / "snapshots").mkdir(parents=True)
    pq.write_table(pa.table({"token_id": ["3f1c9a0b"]}), tmp_path / "home" / "snapshots" / "a.parquet")
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "journal.sqlite")) as journal, journal:
        journal.execute("CREATE TABLE runs (run_id TEXT, started_ms INTEGER)")
        journal.execute("INSERT INTO runs VALUES ('20260301-093000-1a2b3c4d', 0)")
        journal.execute("CREATE TABLE steps (step_id INTEGER PRIMARY KEY, run_id TEXT, token_id TEXT, state TEXT)")
        journal.execute("INSERT INTO steps VALUES (1, '20260301-093000-1a2b3c4d', '3f1c', 'failed')")
    of_snapshot = loaded_by_completion("tokenkit get 3f1c")
    assert "3f1c9a0b" in of_snapshot
    assert SLOW & set(of_snapshot) == {"pyarrow", "numpy", "sqlite3"}
    of_journal = loaded_by_completion("tokenkit resume 2026")
    assert "20260301-093000-1a2b3c4d" in of_journal
    assert SLOW & set(of_journal) == {"sqlite3"}


def loaded_by_completion(words):
    """Return what completion prints, and the modules that it loaded."""
    environment = {"_TOKENKIT_COMPLETE": "zsh_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return loaded_by("from tokenkit import cli; assert cli.main([]) == 0", **environment)


def test_a_command_of_the_shell_does_not_load_the_other_front_end():
    statement = "import tokenkit.cli, tokenkit.commands.printing, tokenkit.commands.reading"
    assert not {"IPython", "databricks.sdk", "jinja2", "jupyterlab"} & set(loaded_by(statement))


@pytest.fixture(scope="module")
def loaded_by_a_listing():
    with Sandbox(tokens=10) as sandbox:
        signed_in = {"DATABRICKS_HOST": sandbox.host, "DATABRICKS_TOKEN": sandbox.token}
        return set(loaded_by("from tokenkit import cli; assert cli.main(['list', '--limit', '1']) == 0", **signed_in))


def test_a_listing_loads_nothing_that_changes_tokens(loaded_by_a_listing):
    loaded = {name for name in loaded_by_a_listing if name.startswith(("tokenkit.actions.", "tokenkit.fleets"))}
    assert loaded == {"tokenkit.actions.result", "tokenkit.actions.states", "tokenkit.actions.task"}


def test_a_listing_loads_only_the_reviews_that_it_shows(loaded_by_a_listing):
    loaded = {name.removeprefix("tokenkit.review.") for name in loaded_by_a_listing if "tokenkit.review." in name}
    assert loaded == {
        *("changes", "columns", "criteria", "description", "durations", "expressions", "filters", "lifecycle"),
        *("owners", "patterns", "preview", "texts", "values"),
    }


def test_the_public_names_are_these():
    """A name that is added or removed here is a change for users: it belongs into the changelog."""
    assert tokenkit.__all__ == [
        "AccessBlockedError",
        "ApiError",
        "Audit",
        "AuthenticationError",
        "BadRequestError",
        "ConfigurationError",
        "ConflictError",
        "ConnectionFailedError",
        "EndpointNotFoundError",
        "FeatureDisabledError",
        "Fleet",
        "FleetError",
        "FleetPermissionPlan",
        "FleetResumePlan",
        "FleetRevocationPlan",
        "FleetUpdatePlan",
        "InvalidParameterError",
        "InvalidResponseError",
        "JournalError",
        "Leaks",
        "MissingScopeError",
        "NotAnAdminError",
        "NotFoundError",
        "OboToken",
        "PermissionDeniedError",
        "PermissionPlan",
        "QuotaExceededError",
        "RateLimitedError",
        "ResponseLostError",
        "ResumePlan",
        "RetryPolicy",
        "RevocationPlan",
        "StagedRevocation",
        "StatementFailedError",
        "TokenInfo",
        "TokenKitError",
        "TokenManagementAPI",
        "TokenSettings",
        "UnavailableError",
        "UpdatePlan",
        "UsageError",
        "WarehouseStoppedError",
        "Workspace",
        "__version__",
        "changes",
        "connect",
        "explore",
        "fleet",
        "load_ipython_extension",
        "read_listing",
        "read_snapshot",
        "resume",
        "rule",
    ]


def test_every_public_name_is_there():
    assert [name for name in tokenkit.__all__ if getattr(tokenkit, name, None) is None] == []
