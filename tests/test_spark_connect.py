"""Spark Connect: its session is the active one as a classic one is, and gives the same evidence of use.

It runs in a process of its own, because one process has either a classic session or one of Connect.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

from tests.parts import missing

PROGRAM = """
import warnings

import pandas as pd
from pyspark.sql import SparkSession

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tests.test_spark import AUDIT_LOG
from tokenkit.sandbox import Sandbox

warnings.simplefilter("ignore")
spark = SparkSession.builder.remote("local[2]").getOrCreate()
assert type(spark).__module__.startswith("pyspark.sql.connect")
with Sandbox(tokens=20, clock=NOW.timestamp) as sandbox:
    ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW)
    events = [
        event(token_id, event_time=(NOW - pd.Timedelta(hours=n)).to_pydatetime())
        for position, token_id in enumerate(ws.listing()["token_id"])
        for n in range(position + 1)
    ]
    log = spark.createDataFrame([{**row, "event_date": row["event_time"].date()} for row in events], AUDIT_LOG)
    of_spark, of_pandas = ws.usage(rows=log), ws.usage(rows=frame(*events))
    pd.testing.assert_frame_equal(of_spark, of_pandas)
    assert len(of_spark) == 20
    assert spark.catalog.listTables() == []
    try:
        ws.usage()  # of the active session, which has no such table
    except tokenkit.errors.StatementFailedError as error:
        assert "enables the system schema" in str(error), error
    else:
        raise AssertionError("the session was not used")
spark.stop()
print("equal")
"""


def test_usage_in_spark_connect_is_that_of_the_same_rows_in_pandas(tmp_path):
    if shutil.which("java") is None:
        missing("Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
    if importlib.util.find_spec("pyspark") is None or importlib.util.find_spec("grpc") is None:
        missing("Spark Connect is not installed (pip install 'pyspark[connect]>=4.0')")
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "TOKENKIT_HOME": str(tmp_path)}
    program = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert ended.stdout.splitlines()[-1:] == ["equal"], ended.stderr[-3000:]
