"""Spark reads fifty sandbox workspaces in a real local session; what it must not write down is looked for."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys

import pytest

import tokenkit
from tests.conftest import NOW
from tests.parts import missing
from tokenkit import errors, frames
from tokenkit.review import audit as audits
from tokenkit.review.rule import Context
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.account import ACCOUNT

# Spark says this of every pandas 3, at each conversion; that our frames convert is what is tested here.
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
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for a JVM that lives a minute
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

    Executors find both ways to sign in: a file of profiles with a token each, and a service principal.
    """
    if shutil.which("java") is None:
        missing("Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - heavy, and may be missing
    except ImportError:
        missing("PySpark is not installed (pip install 'tokenkit[spark]')")
    profiles = [
        f"[w{position}]\nhost = {each.host}\ntoken = {each.token}\nauth_type = pat\n"
        for position, each in enumerate(account.workspaces)
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
        environment.setenv("PYSPARK_PYTHON", sys.executable)  # Spark would take whatever python3 is on the path
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "1g")
            .config("spark.sql.execution.arrow.pyspark.enabled", "true")  # as at Databricks, and from Spark 4.1 on
            .config("spark.driver.extraJavaOptions", f"{QUICK_START} -Dlog4j2.configurationFile={log_settings}")
            .config("spark.eventLog.enabled", "true")
            .config("spark.eventLog.dir", f"file://{folder / 'events'}")
            .config("spark.eventLog.compress", "false")
            .config("spark.sql.session.timeZone", "America/New_York")  # what our times must not depend on
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
    import tokenkit.spark  # noqa: PLC0415 - needs PySpark

    tokenkit.spark.register(session)
    yield session
    session.stop()


@pytest.fixture
def source(spark):  # noqa: ARG001 - the session, so that it is skipped where that is
    """The data source itself, as Spark makes it of options."""
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
    """All fifty workspaces, read once."""
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
    """The rows of Arrow tables in an order that does not depend on where they are from."""
    return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: sorted(map(str, row.items())))


def test_the_rows_of_fifty_workspaces_are_those_of_a_fleet(account, every_token):
    theirs = tokenkit.fleet([connect(each) for each in account.workspaces]).tokens()
    assert rows(every_token) == rows(table_of(theirs.assign(error=None)))


def test_the_columns_are_those_of_a_workspace_in_sparks_types(load, account):
    tokens = load(profiles="w0")
    kinds = dict(tokens.dtypes)
    assert list(kinds) == ["workspace", *tokens_of(account.workspaces[0]).columns, "error"]
    assert {kinds[name] for name in ("creation_time", "expiry_time", "last_used_day", "effective_end")} == {"timestamp"}
    assert {kinds[name] for name in ("created_by_id", "owner_id", "workspace_id")} == {"bigint"}
    assert {kinds[name] for name in ("scopes", "inferred_scopes", "backfill_scopes")} == {"array<string>"}


def test_workspaces_that_fail_are_rows_that_say_why_and_the_others_are_all_there(load, account):
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


def test_a_workspace_that_fails_fails_the_query_where_the_option_says_so(load, account):
    account.faults.add(Fault(path=LISTING, status=403, workspace_id=account.workspaces[1].workspace_id))
    with pytest.raises(Exception, match="needs a workspace admin"):
        load(profiles="w0, w1", on_error="fail").count()


def test_hosts_are_signed_in_to_with_the_service_principal_of_the_executors_environment(load, account):
    hosts = [each.host for each in account.workspaces[:2]]
    read = load(hosts=f"{hosts[0]}, {hosts[1]}/, {hosts[0]}").toArrow()
    assert read["error"].null_count == len(read)
    counts = {host: read["workspace"].to_pylist().count(host) for host in hosts}
    assert counts == {each.host: len(tokens_of(each)) for each in account.workspaces[:2]}


def test_the_one_token_of_an_environment_is_sent_to_no_two_hosts(monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi1")
    from tokenkit.spark import TokensDataSource  # noqa: PLC0415 - as it needs PySpark

    for partition in TokensDataSource({"hosts": "https://a.example, https://b.example"}).reader(None).partitions():
        with pytest.raises(errors.ConfigurationError, match="2 hosts are named"):
            partition.credentials()
    (alone,) = TokensDataSource({"hosts": "https://a.example"}).reader(None).partitions()
    assert alone.credentials().host == "https://a.example"


def test_the_workspaces_of_an_account_are_read_and_one_that_is_not_running_says_so(load, account):
    named = {"account": account.account_host, "account_id": account.account_id}
    assert load(**named).rdd.getNumPartitions() == WORKSPACES
    running, banned = account.workspaces[0], {"workspace_id": 2, "workspace_name": "old", "workspace_status": "BANNED"}
    listed = [{"workspace_id": running.workspace_id, "workspace_url": running.host, "deployment_name": "a"}, banned]
    account.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=json.dumps(listed)))
    read = load(**named).toArrow().to_pylist()
    assert [row["error"] for row in read if row["workspace"] == "old"] == ["old is BANNED, so it is not asked."]
    assert len([row for row in read if row["workspace"] == running.host]) == len(tokens_of(running))
    account.faults.clear()
    account.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=403))
    with pytest.raises(Exception, match="must be an admin of the account"):
        load(**named).count()


def test_an_option_that_would_hold_a_credential_is_refused_and_its_value_said_nowhere(load):
    with pytest.raises(Exception, match="takes no credentials as options, so 'token'") as raised:
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
def test_a_credential_in_the_value_of_an_option_is_refused_and_said_nowhere(source, name, value):
    with pytest.raises(errors.ConfigurationError, match=f"option '{name}' seems to hold a credential") as raised:
        source({name: value})
    assert "opaque" not in str(raised.value)
    assert "0a0a" not in str(raised.value)


@pytest.mark.parametrize("name", ["client_secret", "password", "azure_client_secret", "authorization", "api_key"])
def test_options_by_which_a_credential_may_come_are_known(source, name):
    with pytest.raises(errors.ConfigurationError, match="takes no credentials") as raised:
        source({"profiles": "w0", name: "hunter2"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "not said which workspaces to read"),
        ({"profiles": " , "}, "not said which workspaces to read"),
        ({"profile": "w0"}, "Did you mean profiles"),
        ({"profiles": "w0", "on_error": "raise"}, "on_error cannot be 'raise'"),
        ({"hosts": "https://me:hunter2@a.cloud.databricks.com"}, "must not hold a user name or password"),
        ({"profiles": "w0", "clock": "yesterday-ish"}, "clock cannot be 'yesterday-ish'"),
    ],
)
def test_options_that_make_no_sense_are_refused_when_they_are_given(source, options, said):
    with pytest.raises(errors.ConfigurationError, match=said) as raised:
        source(options)
    assert "hunter2" not in str(raised.value)


def test_no_credential_stands_in_a_plan_an_event_an_error_or_the_drivers_log(load, account, folder):
    secrets = [*(each.token for each in account.workspaces), account.client_secret]
    tokens = load(profiles=EVERY_PROFILE, on_error="fail")
    with contextlib.redirect_stdout(io.StringIO()) as plans:
        tokens.groupBy("owner").count().explain(True)
        tokens.explain("formatted")
    account.faults.add(Fault(path=LISTING, status=401, workspace_id=account.workspaces[0].workspace_id))
    with pytest.raises(Exception, match="AuthenticationError") as raised:
        tokens.count()
    events = "".join(each.read_text() for each in (folder / "events").rglob("*") if each.is_file())
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
    assert {"everyone-may", "no-maximum"} <= {row["rule"] for row in found}  # what a listing alone does not tell
    theirs = tokenkit.fleet([connect(each) for each in account.workspaces]).audit().findings
    expected = rows(table_of(theirs.assign(error=None)))
    assert [row for row in found if not row["error"]] == expected
    assert len({row["workspace"] for row in expected}) == WORKSPACES


def test_findings_go_on_where_no_permission_was_ever_granted(spark, account):
    none_yet = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    account.faults.add(Fault(path="/api/2.0/permissions/authorization/tokens", status=404, body=none_yet, times=1))
    read = spark.read.format("databricks_token_findings").options(profiles="w2", on_error="fail").load()
    assert "no-maximum" in {row["rule"] for row in rows(read.toArrow())}
    account.faults.clear()


def test_tokens_that_spark_has_are_audited_by_the_same_rules_a_whole_workspace_at_a_time(load, account):
    @tokenkit.rule("long-comment", title="Says much", severity="low", why="Nobody reads it.", remedy="Say less.")
    def long_comment(tokens, context):  # noqa: ARG001 - a rule's signature
        return "says: " + tokens["comment"][tokens["comment"].str.len() > 10]

    thresholds = {"many-tokens": {"at_least": 2}}
    tokens = load(profiles="w0, w1, nowhere").repartition(7)
    found = tokenkit.spark.audit(tokens, also=[long_comment], thresholds=thresholds, skip=["unused"], now=NOW).toArrow()
    chosen = [rule for rule in audits.chosen(also=[long_comment], skip=["unused"]) if set(rule.needs) <= {"owners"}]
    expected = [
        audits.audit(tokens_of(each), Context(now=NOW), rules=chosen, thresholds=thresholds).findings.assign(
            workspace=each.host
        )
        for each in account.workspaces[:2]
    ]
    assert rows(found) == rows(*map(table_of, expected))
    assert {"many-tokens", "long-comment"} <= {row["rule"] for row in rows(found)}


def test_an_audit_keeps_ids_and_times_that_sparks_own_pandas_would_lose(spark):
    records = [
        {"token_id": "a", "owner_id": 2**53 + 1, "created_by_id": 2**53, "creation_time": 1, "expiry_time": LAST_MS},
        {"token_id": "b", "creation_time": 1, "expiry_time": -1},
    ]
    tokens = spark.createDataFrame(table_of(frames.frame(records, frames.TOKENS).assign(workspace="https://a")))
    found = tokenkit.spark.audit(tokens, ["no-expiry", "many-tokens"], thresholds={"many-tokens": {"at_least": 1}})
    assert {(row["rule"], row["token_id"], row["owner"]) for row in rows(found.toArrow())} == {
        ("no-expiry", "b", None),
        ("many-tokens", None, str(2**53 + 1)),
    }


def test_an_audit_of_a_table_refuses_what_a_table_cannot_tell(spark, load):
    with pytest.raises(errors.UsageError, match=r"no-maximum needs.*databricks_token_findings"):
        tokenkit.spark.audit(load(profiles="w0"), ["no-maximum"])
    with pytest.raises(errors.UsageError, match=r"workspace, comment, .* is missing"):
        tokenkit.spark.audit(spark.sql("SELECT 'a' AS token_id"))


def test_the_audit_log_says_where_a_token_signed_in_and_who_revoked_one(spark, load, account):
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
    """Return a frame as the documentation says to give it to Spark."""
    return frames.to_arrow(frame)


def test_spark_takes_a_frame_of_ours_by_way_of_arrow(spark, account):
    tokens = tokens_of(account.workspaces[0])
    assert tokens["scopes"].isna().any()  # an absent list is what Spark trips over in other frames
    assert tokens["scopes"].notna().any()
    taken = spark.createDataFrame(table_of(tokens))
    assert dict(taken.dtypes)["scopes"] == "array<string>"
    assert dict(taken.dtypes)["owner_id"] == "bigint"
    assert taken.toArrow().to_pylist() == table_of(tokens).to_pylist()


def test_spark_takes_what_is_missing_and_what_is_extreme_in_a_frame(spark):
    records = [
        {"token_id": "a", "owner_id": 2**53 + 1, "expiry_time": LAST_MS, "scopes": ["sql", "jobs"]},
        {"token_id": "b", "owner_id": None, "expiry_time": -1, "scopes": []},
        {"token_id": "c", "comment": "", "expiry_time": 0},
    ]
    tokens = frames.frame(records, frames.TOKENS)
    taken = spark.createDataFrame(table_of(tokens))
    assert dict(taken.dtypes)["backfill_scopes"] == "array<string>"  # though none is there
    assert taken.toArrow().to_pylist() == table_of(tokens).to_pylist()


def test_without_pyspark_one_line_names_the_extra():
    program = "import sys; sys.modules['pyspark'] = None; import tokenkit.spark"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("tokenkit.errors.ConfigurationError: tokenkit.spark needs PySpark")
    assert "pip install 'tokenkit[spark]'" in ended.stderr
    assert "During handling" not in ended.stderr
