"""The texts of a seeded company: names, token comments, scopes."""

# ruff: noqa: RUF001  # realistic names and comments

from __future__ import annotations

GIVEN_NAMES = (
    "Ada", "Amélie", "Anjali", "Asa", "Björn", "Carlos", "Chidi", "Chloé", "Daniel", "Dilnoza", "Elif", "Emma", "Farah",
    "Felix", "François", "Grace", "Hana", "Håkon", "Hugo", "Ines", "Ingrid", "Ivan", "Jamal", "João", "José", "Jürgen",
    "Kaito", "Kateřina", "Kofi", "Lars", "Leila", "Liam", "Łukasz", "Lucía", "Małgorzata", "Maria", "Marek", "Mei",
    "Mohammed", "Nadia", "Ngozi", "Niamh", "Noah", "Olga", "Omar", "Priya", "Rachel", "Raúl", "Renée", "Ruth", "Sakura",
    "Samuel", "Siobhán", "Sofia", "Søren", "Tariq", "Thảo", "Tomás", "Wei", "Yusuf", "Zoë", "Жанна", "Дмитрий", "愛子",
)  # fmt: skip
FAMILY_NAMES = (
    "Abe", "Ahmed", "Andersson", "Araújo", "Baker", "Bianchi", "Björk", "Brown", "Castro", "Chen", "Cohen", "Costa",
    "Dąbrowski", "Dubois", "Eriksen", "Fernández", "Fischer", "Garcia", "Gonçalves", "Haddad", "Hansen", "Hernández",
    "Ito", "Ivanova", "Jensen", "Johnson", "Kaya", "Khan", "Kim", "Kowalski", "Kumar", "Lefèvre", "Li", "Lindqvist",
    "López", "Mbeki", "Müller", "Murphy", "Nagy", "Nakamura", "Nguyễn", "Novák", "O'Brien", "Okafor", "Öztürk", "Park",
    "Patel", "Peña", "Petrov", "Rossi", "Šimić", "Sato", "Schäfer", "Silva", "Singh", "Smith", "Strauß", "Tanaka",
    "Torres", "Wang", "Weiß", "Yılmaz", "Zhang", "王",
)  # fmt: skip
# For email addresses: names in other scripts, and letters that Unicode does not decompose.
LATIN_SPELLINGS = {"Жанна": "Zhanna", "Дмитрий": "Dmitry", "愛子": "Aiko", "王": "Wang"}
LATIN_LETTERS = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "ı": "i"})
SERVICE_PRINCIPAL_NAMES = (
    "terraform", "airflow", "ci-deploy", "dbt-cloud", "github-actions", "powerbi-gateway", "tableau-server", "fivetran",
    "looker", "model-serving", "nightly-backup", "cost-report", "data-quality", "catalog-sync", "kafka-connect",
    "grafana",
)  # fmt: skip
COMMENTS = tuple(
    text.format(where)
    for where in ("dev", "staging", "prod", "EU", "US", "team share")
    for text in (
        "VS Code extension ({})", "dbt runs, {}", "Terraform for the {} workspace", "Airflow connection {}",
        "local notebook, {}", "Power BI refresh {}", "Tableau extract {}", "CI pipeline: deploy to {}",
        "JDBC from DBeaver ({})", "feature store jobs – {}", "Databricks Connect {}",
        "quarterly report, {}", "migration of the {} tables", "MLflow tracking from {}", "Rückfrage an Jürgen ({})",
        "データ連携 {}", "job monitoring {}", "cost dashboard {}",
    )
)  # fmt: skip
MEANINGLESS_COMMENTS = ("test", "x", "token", "tmp", "asdf", "my token", "1", "-", "test2", "new")
HOSTILE_COMMENTS = (
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://x","salary list")',
    '},{"token_id":"0',
    'she said "it\'s mine" \\ and left',
    "first line\nsecond line\r\nthird\tcolumn",
    "rotate me 🔑🔥👩\u200d💻",
    "\u202etxt.exe محمد שלום",
    "</script><script>alert(document.cookie)</script>",
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "-2+3",
    "'; DROP TABLE tokens; --",
    "{{7*7}} ${7*7} %s %(x)s [link](javascript:alert(1)) | a | b |",
    "line\u2028separator and a null-looking \\u0000",
    "very long " + "lorem ipsum " * 60,
)
SCOPE_SETS = (
    ("sql",), ("clusters", "jobs"), ("files",), ("sql", "unity-catalog"), ("jobs",), ("workspace",),
    ("mlflow", "model-serving"), ("dashboards", "sql"), ("pipelines",), ("scim",),
)  # fmt: skip
BROAD_SCOPE_SETS = (
    ("clusters", "files", "jobs", "sql"), ("jobs", "mlflow", "model-serving", "workspace"),
    ("dashboards", "genie", "sql", "unity-catalog"), ("clusters", "pipelines", "secrets", "unity-catalog", "workspace"),
)  # fmt: skip
