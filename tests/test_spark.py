"""Spark reads fifty sandbox workspaces in a local session, and writes no secrets to plans and logs."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.parts import missing
from tests.review.test_sign_ins import event, frame
from tokenkit import errors, frames
from tokenkit.review import audit as audits
from tokenkit.review.rule import IN_LISTINGS, Context
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.state.account import ACCOUNT
from tokenkit.sandbox.state.audit_rows import GivenRows

# Spark warns about pandas 3 at each conversion; the conversion of our frames is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

WORKSPACES = 50
EVERY_PROFILE = ",".join(f"w{position}" for position in range(WORKSPACES))
LAST_MS = 253_402_300_799_999  # of the year 9999
LISTING = "/api/2.0/token-management/tokens"

AUDIT_LOG = """
    account_id STRING, workspace_id STRING, version STRING, event_time TIMESTAMP, event_date DATE,
    source_ip_address STRING, user_agent STRING, session_id STRING,
    user_identity STRUCT<email: STRING, subject_name: STRING>, service_name STRING, action_name STRING,
    request_id STRING, request_params MAP<STRING, STRING>,
    response STRUCT<status_code: INT, error_message: STRING, result: STRING>, audit_level STRING, event_id STRING,
    identity_metadata STRUCT<run_by: STRING, run_as: STRING>
"""  # system.access.audit, as Databricks documents it
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for a short-lived JVM
LOG_SETTINGS = """
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %m%n%ex
"""


@pytest.fixture(scope="module")
def account():
    with Sandbox(workspaces=WORKSPACES, tokens=20, clock=NOW.timestamp) as account:
        yield account
        assert list(account.errors) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def spark(account, folder):
    """A local session, small, with its event log and its driver's log in files.

    Executors have both ways to sign in: profiles with tokens, and a service principal.
    """
    if shutil.which("java") is None:
        missing("Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - slow and optional
    except ImportError:
        missing("PySpark is not installed (pip install 'pyspark>=4.0')")
    profiles = [
        f"[w{position}]\nhost = {workspace.host}\ntoken = {workspace.token}\nauth_type = pat\n"
        for position, workspace in enumerate(account.workspaces)
    ]
    (folder / "databrickscfg").write_text("".join(profiles))
    log_settings = folder / "log4j2.properties"
    log_settings.write_text(LOG_SETTINGS.format(file=folder / "driver.log"))
    (folder / "events").mkdir()
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_"))]:
            environment.delenv(name)
        environment.setenv("DATABRICKS_CONFIG_FILE", str(folder / "databrickscfg"))
        environment.setenv("DATABRICKS_CLIENT_ID", account.client_id)
        environment.setenv("DATABRICKS_CLIENT_SECRET", account.client_secret)
        environment.setenv("PYSPARK_PYTHON", sys.executable)  # otherwise Spark uses python3 on the path
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "1g")
            .config("spark.sql.execution.arrow.pyspark.enabled", "true")  # as on Databricks and from Spark 4.1 on
            .config("spark.driver.extraJavaOptions", f"{QUICK_START} -Dlog4j2.configurationFile={log_settings}")
            .config("spark.eventLog.enabled", "true")
            .config("spark.eventLog.dir", f"file://{folder / 'events'}")
            .config("spark.eventLog.compress", "false")
            .config("spark.sql.session.timeZone", "America/New_York")  # times must not depend on it
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
    import tokenkit.spark  # noqa: PLC0415 - needs PySpark

    tokenkit.spark.register(session)
    yield session
    session.stop()
    # Spark's handler cancels the jobs of a context that no longer exists, and fails instead of interrupting.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def source(spark):  # noqa: ARG001 - skipped with the session
    """The data source as Spark creates it from options."""
    return tokenkit.spark.TokensDataSource


@pytest.fixture
def load(spark, account):
    account.faults.clear()

    def load(**options):
        return spark.read.format("databricks_tokens").options(clock=NOW.isoformat(), **options).load()

    yield load
    account.faults.clear()


@pytest.fixture(scope="module")
def every_token(spark, account):
    """The rows of all fifty workspaces."""
    tokens = spark.read.format("databricks_tokens").options(profiles=EVERY_PROFILE, clock=NOW.isoformat()).load()
    assert tokens.rdd.getNumPartitions() == WORKSPACES
    account.requests.clear()
    table = tokens.toArrow()
    assert [record.path for record in account.requests].count(LISTING) == WORKSPACES
    return table


def connect(workspace):
    return tokenkit.connect(host=workspace.host, token=workspace.token, clock=NOW)


def tokens_of(workspace):
    return connect(workspace).tokens()


def rows(*tables):
    """The rows of Arrow tables in a deterministic order."""
    return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: sorted(map(str, row.items())))


def test_the_rows_of_fifty_workspaces_are_those_of_a_fleet(account, every_token):
    theirs = tokenkit.fleet([connect(workspace) for workspace in account.workspaces]).tokens()
    assert rows(every_token) == rows(table_of(theirs.assign(error=None)))


def test_the_columns_are_those_of_a_workspace_with_spark_types(load, account):
    tokens = load(profiles="w0")
    kinds = dict(tokens.dtypes)
    assert list(kinds) == ["workspace", *tokens_of(account.workspaces[0]).columns, "error"]
    assert {kinds[name] for name in ("creation_time", "expiry_time", "last_used_day", "effective_end")} == {"timestamp"}
    assert {kinds[name] for name in ("created_by_id", "owner_id", "workspace_id")} == {"bigint"}
    assert {kinds[name] for name in ("scopes", "inferred_scopes", "backfill_scopes")} == {"array<string>"}


def test_failed_workspaces_become_error_rows_and_the_others_are_complete(load, account):
    turned_away, web_page, fine = account.workspaces[:3]
    account.faults.add(
        Fault(path=LISTING, status=403, workspace_id=turned_away.workspace_id),
        Fault(path=LISTING, status=200, body="<title>Sign in</title>", workspace_id=web_page.workspace_id),
    )
    read = load(profiles="w0, w1, w2, nowhere").toArrow()
    failed = {row["workspace"]: row["error"] for row in read.to_pylist() if row["error"]}
    assert set(failed) == {turned_away.host, web_page.host, "nowhere"}
    assert "workspace admin" in failed[turned_away.host]
    assert "a web page" in failed[web_page.host]
    assert "no profile 'nowhere'" in failed["nowhere"]
    assert [row["token_id"] for row in read.to_pylist() if row["error"]] == [None] * 3
    assert read["workspace"].to_pylist().count(fine.host) == len(tokens_of(fine))


def test_a_failed_workspace_fails_the_query_if_on_error_is_fail(load, account):
    account.faults.add(Fault(path=LISTING, status=403, workspace_id=account.workspaces[1].workspace_id))
    with pytest.raises(Exception, match="requires a workspace admin"):
        load(profiles="w0, w1", on_error="fail").count()


def test_hosts_use_the_service_principal_of_the_executors_environment(load, account):
    hosts = [workspace.host for workspace in account.workspaces[:2]]
    read = load(hosts=f"{hosts[0]}, {hosts[1]}/, {hosts[0]}").toArrow()
    assert read["error"].null_count == len(read)
    counts = {host: read["workspace"].to_pylist().count(host) for host in hosts}
    assert counts == {workspace.host: len(tokens_of(workspace)) for workspace in account.workspaces[:2]}


def test_a_token_of_the_environment_is_not_sent_to_several_hosts(monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi1")
    from tokenkit.spark import TokensDataSource  # noqa: PLC0415 - needs PySpark

    for partition in TokensDataSource({"hosts": "https://a.example, https://b.example"}).reader(None).partitions():
        with pytest.raises(errors.ConfigurationError, match="2 hosts are named"):
            partition.credentials()
    (alone,) = TokensDataSource({"hosts": "https://a.example"}).reader(None).partitions()
    assert alone.credentials().host == "https://a.example"


def test_running_workspaces_of_an_account_are_read_and_others_become_error_rows(load, account):
    named = {"account": account.account_host, "account_id": account.account_id}
    assert load(**named).rdd.getNumPartitions() == WORKSPACES
    running, banned = account.workspaces[0], {"workspace_id": 2, "workspace_name": "old", "workspace_status": "BANNED"}
    listed = [{"workspace_id": running.workspace_id, "workspace_url": running.host, "deployment_name": "a"}, banned]
    account.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=json.dumps(listed)))
    read = load(**named).toArrow().to_pylist()
    assert [row["error"] for row in read if row["workspace"] == "old"] == ["old is BANNED, so it was skipped."]
    assert len([row for row in read if row["workspace"] == running.host]) == len(tokens_of(running))
    account.faults.clear()
    account.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=403))
    with pytest.raises(Exception, match="is an account admin"):
        load(**named).count()


def test_an_option_for_a_credential_is_an_error_without_its_value(load):
    with pytest.raises(Exception, match="'token': credentials are not allowed") as raised:
        load(profiles="w0", token="dapi-of-somebody")
    assert "dapi-of-somebody" not in str(raised.value)


@pytest.mark.parametrize("name", ["profiles", "hosts", "account", "account_id", "clock"])
@pytest.mark.parametrize(
    "value",
    [
        "dapi" + "0a" * 16,
        "https://one.example, https://two.example/?o=1&token=opaque",
        "https://one.example/?client_secret=opaque",
        "x_dose" + "0a" * 16,
    ],
)
def test_a_credential_in_an_option_is_an_error_without_its_value(source, name, value):
    with pytest.raises(errors.ConfigurationError, match=f"'{name}': it appears to contain a credential") as raised:
        source({name: value})
    assert "opaque" not in str(raised.value)
    assert "0a0a" not in str(raised.value)


@pytest.mark.parametrize("name", ["client_secret", "password", "azure_client_secret", "authorization", "api_key"])
def test_names_of_options_for_credentials_are_recognized(source, name):
    with pytest.raises(errors.ConfigurationError, match="credentials are not allowed") as raised:
        source({"profiles": "w0", name: "hunter2"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "No workspaces are given"),
        ({"profiles": " , "}, "No workspaces are given"),
        ({"profile": "w0"}, "Did you mean profiles"),
        ({"profiles": "w0", "on_error": "raise"}, "on_error cannot be 'raise'"),
        ({"hosts": "https://me:hunter2@a.cloud.databricks.com"}, "must not contain a user name or password"),
        ({"profiles": "w0", "clock": "yesterday-ish"}, "clock cannot be 'yesterday-ish'"),
    ],
)
def test_invalid_options_are_errors_when_the_source_is_created(source, options, message):
    with pytest.raises(errors.ConfigurationError, match=message) as raised:
        source(options)
    assert "hunter2" not in str(raised.value)


def test_no_credential_is_in_a_plan_an_event_an_error_or_the_drivers_log(load, account, folder):
    secrets = [*(workspace.token for workspace in account.workspaces), account.client_secret]
    tokens = load(profiles=EVERY_PROFILE, on_error="fail")
    with contextlib.redirect_stdout(io.StringIO()) as plans:
        tokens.groupBy("owner").count().explain(True)
        tokens.explain("formatted")
    account.faults.add(Fault(path=LISTING, status=401, workspace_id=account.workspaces[0].workspace_id))
    with pytest.raises(Exception, match="AuthenticationError") as raised:
        tokens.count()
    events = "".join(path.read_text() for path in (folder / "events").rglob("*") if path.is_file())
    log = (folder / "driver.log").read_text()
    places = {"plans": plans.getvalue(), "events": events, "log": log, "error": f"{raised.value!s} {raised.value!r}"}
    assert "databricks_tokens" in places["plans"]
    assert "BatchScan databricks_tokens" in places["events"]
    assert "AuthenticationError" in places["log"]
    assert [(name, secret[:8]) for name, text in places.items() for secret in secrets if secret in text] == []


def test_findings_of_fifty_workspaces_are_those_of_a_fleet(spark, account):
    connect(account.workspaces[1]).token_management.update_permissions(
        [{"group_name": "users", "permission_level": "CAN_USE"}]
    )
    profiles = f"{EVERY_PROFILE}, nowhere"
    found = spark.read.format("databricks_token_findings").options(profiles=profiles, clock=NOW.isoformat()).load()
    found = rows(found.toArrow())
    assert [row["workspace"] for row in found if row["error"]] == ["nowhere"]
    assert {"all-users-can-use", "no-maximum-lifetime"} <= {row["rule"] for row in found}  # not in a listing
    theirs = tokenkit.fleet([connect(workspace) for workspace in account.workspaces]).audit().findings
    expected = rows(table_of(theirs.assign(error=None)))
    assert [row for row in found if not row["error"]] == expected
    assert len({row["workspace"] for row in expected}) == WORKSPACES


def test_findings_work_without_any_granted_permission(spark, account):
    none_yet = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    account.faults.add(Fault(path="/api/2.0/permissions/authorization/tokens", status=404, body=none_yet, times=1))
    read = spark.read.format("databricks_token_findings").options(profiles="w2", on_error="fail").load()
    assert "no-maximum-lifetime" in {row["rule"] for row in rows(read.toArrow())}
    account.faults.clear()


def test_tokens_in_spark_are_audited_by_the_same_rules_per_workspace(load, account):
    @tokenkit.rule("long-comment", title="Says much", severity="low", why="Nobody reads it.", remedy="Say less.")
    def long_comment(tokens, context):  # noqa: ARG001 - a rule's signature
        return "says: " + tokens["comment"][tokens["comment"].str.len() > 10]

    thresholds = {"near-token-quota": {"at_least": 2}}
    tokens = load(profiles="w0, w1, nowhere").repartition(7)
    found = tokenkit.spark.audit(tokens, also=[long_comment], thresholds=thresholds, skip=["unused"], now=NOW).toArrow()
    chosen = [rule for rule in audits.chosen(also=[long_comment], skip=["unused"]) if set(rule.needs) <= IN_LISTINGS]
    expected = [
        audits.audit(tokens_of(workspace), Context(now=NOW), rules=chosen, thresholds=thresholds).findings.assign(
            workspace=workspace.host
        )
        for workspace in account.workspaces[:2]
    ]
    assert rows(found) == rows(*map(table_of, expected))
    assert {"near-token-quota", "long-comment"} <= {row["rule"] for row in rows(found)}


def test_an_audit_preserves_ids_and_times_that_sparks_pandas_conversion_would_lose(spark):
    records = [
        {"token_id": "a", "owner_id": 2**53 + 1, "created_by_id": 2**53, "creation_time": 1, "expiry_time": LAST_MS},
        {"token_id": "b", "creation_time": 1, "expiry_time": -1},
    ]
    tokens = spark.createDataFrame(table_of(frames.frame(records, frames.TOKENS).assign(workspace="https://a")))
    found = tokenkit.spark.audit(
        tokens, ["no-expiry", "near-token-quota"], thresholds={"near-token-quota": {"at_least": 1}}
    )
    assert {(row["rule"], row["token_id"], row["owner"]) for row in rows(found.toArrow())} == {
        ("no-expiry", "b", None),
        ("near-token-quota", None, str(2**53 + 1)),
    }


def test_an_audit_of_a_table_rejects_rules_that_need_more_than_the_table(spark, load):
    with pytest.raises(errors.UsageError, match=r"no-maximum-lifetime needs.*databricks_token_findings"):
        tokenkit.spark.audit(load(profiles="w0"), ["no-maximum-lifetime"])
    with pytest.raises(errors.UsageError, match=r"workspace, comment, .* is missing"):
        tokenkit.spark.audit(spark.sql("SELECT 'a' AS token_id"))


def test_the_audit_log_contains_token_logins_and_revocations(spark, load, account):
    tokens = load(profiles="w0")
    used, revoked = sorted(tokens_of(account.workspaces[0])["token_id"])[:2]
    here = {"workspace_id": str(account.workspaces[0].workspace_id), "service_name": "accounts"}
    login = here | {"action_name": "tokenLogin", "request_params": {"tokenId": used}}
    revocation = here | {"action_name": "revokeDbToken", "request_params": {"tokenHash": revoked}}
    events = [
        login | {"source_ip_address": "203.0.113.1", "user_identity": {"email": "ada@example.com"}},
        login | {"source_ip_address": "203.0.113.2", "user_identity": {"email": "ada@example.com"}},
        revocation | {"source_ip_address": "203.0.113.3", "user_identity": {"email": "bo@example.com"}},
        login | {"service_name": "clusters"},
    ]
    log = spark.createDataFrame(events, AUDIT_LOG)
    log.createOrReplaceTempView("audit_log")
    tokens.createOrReplaceTempView("tokens")
    seen = spark.sql("""
        SELECT action_name, token_id, user_identity.email, count(DISTINCT source_ip_address) AS addresses
        FROM tokens JOIN audit_log
          ON audit_log.workspace_id = tokens.workspace_id
         AND token_id = coalesce(request_params['tokenId'], request_params['tokenHash'])
        WHERE service_name = 'accounts' AND action_name IN ('tokenLogin', 'revokeDbToken')
        GROUP BY ALL ORDER BY action_name
    """).collect()
    assert [tuple(row) for row in seen] == [
        ("revokeDbToken", revoked, "bo@example.com", 1),
        ("tokenLogin", used, "ada@example.com", 2),
    ]


def table_of(frame):
    """Return a frame as documented for Spark."""
    return frames.to_arrow(frame)


def test_usage_in_spark_is_that_of_the_same_rows_in_pandas(spark, account):
    ws = connect(account.workspaces[0])
    token_ids = ws.listing()["token_id"].tolist()
    events = [
        event(
            token_id,
            event_time=(NOW - pd.Timedelta(hours=7 * n)).to_pydatetime(),
            source_ip_address=["192.0.2.7:443", "[2001:db8::1]:443", "2001:db8:1::1"][n % 3],
            user_agent=["dbt/1.7", None, "'\\x"][n % 3],
            workspace_id=str(n % 2),
        )
        for position, token_id in enumerate(token_ids)
        for n in range(position + 1)
    ]
    log = spark.createDataFrame([{**row, "event_date": row["event_time"].date()} for row in events], AUDIT_LOG)
    views = spark.catalog.listTables()
    in_pandas = ws.usage(rows=frame(*events))
    in_spark = ws.usage(rows=log)
    pd.testing.assert_frame_equal(in_spark, in_pandas)
    assert in_spark.attrs == in_pandas.attrs  # both are of given rows
    assert spark.catalog.listTables() == views
    with pytest.raises(errors.StatementFailedError, match="system"):
        ws.usage()  # of the active session, which has no such table
    assert in_spark["logins"].tolist() == sorted(in_spark["logins"], reverse=True)


@pytest.fixture
def read_usage(spark):
    def read(**options):
        return spark.read.format("databricks_token_usage").options(clock=NOW.isoformat(), **options).load()

    return read


def test_usage_of_each_workspace_is_what_its_warehouse_reads(read_usage, account, monkeypatch):
    events = list(account.audit_events())  # else each reading adds the sign-in that it needed
    monkeypatch.setattr(account.warehouse, "log", GivenRows(events))
    warehouse_id = account.warehouse.warehouse_id
    rows = read_usage(profiles="w0", warehouse_id=warehouse_id, days="90").toArrow()
    assert rows.column_names == tokenkit.spark.USAGE.names
    ws = connect(account.workspaces[0])
    expected = ws.usage(90, warehouse_id=warehouse_id)
    expected = expected[expected["matched"]]
    assert len(expected) > 0
    assert set(rows["workspace"].to_pylist()) == {ws.host}
    for name in ("token_id", "logins", "clients", "clients_counts", "last_login"):
        assert rows[name].to_pylist() == expected[name].tolist()
    assert rows["error"].null_count == len(expected)


@pytest.mark.parametrize("days", ["0", "366", "a month", "-1", "²"])
def test_days_that_the_log_does_not_have_are_an_error_of_the_options(read_usage, days):
    with pytest.raises(Exception, match="Invalid days"):
        read_usage(profiles="w0", days=days).collect()


def test_a_warehouse_that_is_not_there_or_not_running_is_a_row_with_the_reason(read_usage, account):
    (row,) = read_usage(profiles="w0", warehouse_id="ffffffffffffffff").collect()
    assert row.token_id is None
    assert row.error
    account.warehouse.state = "STOPPED"
    try:
        (row,) = read_usage(profiles="w0", warehouse_id=account.warehouse.warehouse_id).collect()
    finally:
        account.warehouse.state = "RUNNING"
    assert "is stopped" in row.error


def test_options_of_usage_are_none_of_the_other_formats(load):
    with pytest.raises(Exception, match="Unknown option 'days'"):
        load(profiles="w0", days="30").collect()


def test_spark_accepts_a_tokenkit_frame_via_arrow(spark, account):
    tokens = tokens_of(account.workspaces[0])
    assert tokens["scopes"].isna().any()  # Spark fails on absent lists in other frames
    assert tokens["scopes"].notna().any()
    taken = spark.createDataFrame(table_of(tokens))
    assert dict(taken.dtypes)["scopes"] == "array<string>"
    assert dict(taken.dtypes)["owner_id"] == "bigint"
    assert taken.toArrow().to_pylist() == table_of(tokens).to_pylist()


def test_spark_accepts_missing_and_extreme_values_of_a_frame(spark):
    records = [
        {"token_id": "a", "owner_id": 2**53 + 1, "expiry_time": LAST_MS, "scopes": ["sql", "jobs"]},
        {"token_id": "b", "owner_id": None, "expiry_time": -1, "scopes": []},
        {"token_id": "c", "comment": "", "expiry_time": 0},
    ]
    tokens = frames.frame(records, frames.TOKENS)
    taken = spark.createDataFrame(table_of(tokens))
    assert dict(taken.dtypes)["backfill_scopes"] == "array<string>"  # although all are absent
    assert taken.toArrow().to_pylist() == table_of(tokens).to_pylist()


def test_without_pyspark_a_one_line_error_names_the_extra():
    program = "import sys; sys.modules['pyspark'] = None; import tokenkit.spark"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("tokenkit.errors.ConfigurationError: tokenkit.spark requires")
    assert "pip install 'pyspark>=4.0'" in ended.stderr
    assert "During handling" not in ended.stderr
