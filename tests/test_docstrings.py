"""Every public name is explained: what it gives, each argument, and each column of a frame."""

import inspect
import re

import pytest

import tokenkit
from tests.review.test_sign_ins import event, frame
from tokenkit import frames, sandbox
from tokenkit.sandbox import Sandbox

NAMES = {f"tokenkit.{name}": getattr(tokenkit, name) for name in tokenkit.__all__ if name != "__version__"}
NAMES |= {f"tokenkit.sandbox.{name}": getattr(sandbox, name) for name in sandbox.__all__}
CLASSES = {name: value for name, value in NAMES.items() if inspect.isclass(value)}


def methods(cls):
    """Yield the public methods and properties that are ours, inherited ones too."""
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        member = getattr(member, "__func__", getattr(member, "fget", member))
        if not name.startswith("_") and inspect.isfunction(member) and member.__module__.startswith("tokenkit"):
            yield member


FUNCTIONS = {name: value for name, value in NAMES.items() if inspect.isfunction(value)}
FUNCTIONS |= {f"{name}.{each.__name__}": each for name, cls in CLASSES.items() for each in methods(cls)}
TAKING = {name: each for name, each in FUNCTIONS.items() if set(inspect.signature(each).parameters) - {"self", "cls"}}
GIVING_FRAMES = {name for name, each in FUNCTIONS.items() if each.__annotations__.get("return") == "pd.DataFrame"}
# Its further columns are for commands, and cannot be typed in a query.
GIVING_FRAMES -= {
    f"tokenkit.{kind}.{name}" for kind in ("Workspace", "Fleet") for name in ("tokens_with_aliases", "filtered")
}


def section(docstring, title):
    """Return the indented text below a title, without its indentation; empty where there is none."""
    found = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE) if found else ""


@pytest.mark.parametrize("name", NAMES | FUNCTIONS)
def test_every_public_name_is_explained_by_words_of_its_own(name):
    value = (NAMES | FUNCTIONS)[name]
    docstring = inspect.getdoc(value) or ""
    assert len(docstring.split()) > 1
    assert not docstring.startswith(f"{name.rpartition('.')[2]}(")  # what dataclasses write
    inherited = [inspect.getdoc(base) for base in value.__mro__[1:]] if inspect.isclass(value) else []
    assert docstring not in inherited


@pytest.mark.parametrize("name", TAKING)
def test_every_argument_is_explained_in_the_order_of_the_signature(name):
    parameters = [each for each in inspect.signature(TAKING[name]).parameters if each not in {"self", "cls"}]
    explained = re.findall(r"^(\w+):", section(inspect.getdoc(TAKING[name]), "Args"), re.MULTILINE)
    assert explained == parameters


@pytest.mark.parametrize("name", CLASSES)
def test_every_attribute_that_is_explained_is_there(name):
    ours = [each for each in CLASSES[name].__mro__ if each.__module__.startswith("tokenkit")]
    source = "".join(map(inspect.getsource, ours))
    for each in re.findall(r"^(\w+):", section(inspect.getdoc(CLASSES[name]), "Attributes"), re.MULTILINE):
        assert re.search(rf"self\.{each} = |self\.{each}: |^    {each}: |def {each}\(", source, re.MULTILINE), each


# What each of the functions that give frames gives on a sandbox.
FRAMES = {
    "tokenkit.changes": lambda ws, _: tokenkit.changes(ws.tokens().iloc[1:], ws.tokens()),
    "tokenkit.read_listing": lambda ws, _: tokenkit.read_listing(ws.snapshot()),
    "tokenkit.read_snapshot": lambda ws, _: tokenkit.read_snapshot(ws.snapshot()),
    "tokenkit.resume": lambda ws, plan: tokenkit.resume(plan.run_id, workspace=ws),
    "tokenkit.Fleet.access": lambda ws, _: tokenkit.fleet([ws]).access(),
    "tokenkit.Fleet.changes": lambda ws, _: (tokenkit.fleet([ws]).snapshot(), tokenkit.fleet([ws]).changes())[-1],
    "tokenkit.Fleet.errors": lambda ws, _: tokenkit.fleet([ws]).errors,
    "tokenkit.Fleet.journal": lambda ws, _: tokenkit.fleet([ws]).journal(),
    "tokenkit.Fleet.runs": lambda ws, _: tokenkit.fleet([ws]).runs(),
    "tokenkit.Fleet.listing": lambda ws, _: tokenkit.fleet([ws]).listing(),
    "tokenkit.Fleet.permissions": lambda ws, _: tokenkit.fleet([ws]).permissions(),
    "tokenkit.Fleet.resume": lambda ws, plan: tokenkit.fleet([ws]).resume(plan.run_id),
    "tokenkit.Fleet.tokens": lambda ws, _: tokenkit.fleet([ws]).tokens(),
    "tokenkit.FleetPermissionPlan.apply": lambda ws, _: tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).apply(),
    "tokenkit.FleetPermissionPlan.gaining_access": lambda ws, _: (
        tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).gaining_access
    ),
    "tokenkit.FleetPermissionPlan.keeping_access": lambda ws, _: (
        tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).keeping_access
    ),
    "tokenkit.FleetPermissionPlan.losing_access": lambda ws, _: (
        tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).losing_access
    ),
    "tokenkit.FleetPermissionPlan.not_known": lambda ws, _: tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).not_known,
    "tokenkit.FleetPermissionPlan.protected": lambda ws, _: tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).protected,
    "tokenkit.FleetPermissionPlan.preview": lambda ws, _: tokenkit.fleet([ws]).plan_permissions([BI_TEAM]).preview(),
    "tokenkit.FleetRevocationPlan.apply": lambda ws, _: of_fleet(ws).apply(),
    "tokenkit.FleetRevocationPlan.left_out": lambda ws, _: of_fleet(ws).left_out,
    "tokenkit.FleetRevocationPlan.preview": lambda ws, _: of_fleet(ws).preview(),
    "tokenkit.Fleet.groups": lambda ws, _: tokenkit.fleet([ws]).groups(),
    "tokenkit.Fleet.scopes": lambda ws, _: tokenkit.fleet([ws]).scopes(),
    "tokenkit.Fleet.service_principals": lambda ws, _: tokenkit.fleet([ws]).service_principals(),
    "tokenkit.Fleet.snapshots": lambda ws, _: tokenkit.fleet([ws]).snapshots(),
    "tokenkit.Fleet.users": lambda ws, _: tokenkit.fleet([ws]).users(),
    "tokenkit.FleetUpdatePlan.apply": lambda ws, _: tokenkit.fleet([ws]).plan_scopes().apply(),
    "tokenkit.FleetUpdatePlan.left_out": lambda ws, _: tokenkit.fleet([ws]).plan_scopes().left_out,
    "tokenkit.FleetUpdatePlan.preview": lambda ws, _: tokenkit.fleet([ws]).plan_scopes().preview(),
    "tokenkit.PermissionPlan.gaining_access": lambda ws, _: ws.plan_permissions([BI_TEAM]).gaining_access,
    "tokenkit.PermissionPlan.keeping_access": lambda ws, _: ws.plan_permissions([BI_TEAM]).keeping_access,
    "tokenkit.PermissionPlan.losing_access": lambda ws, _: ws.plan_permissions([BI_TEAM]).losing_access,
    "tokenkit.PermissionPlan.not_known": lambda ws, _: ws.plan_permissions([BI_TEAM]).not_known,
    "tokenkit.PermissionPlan.protected": lambda ws, _: ws.plan_permissions([BI_TEAM]).protected,
    "tokenkit.ResumePlan.left_out": lambda ws, plan: ws.plan_resume(plan.run_id).left_out,
    "tokenkit.PermissionPlan.apply": lambda ws, _: ws.plan_permissions([BI_TEAM]).apply(),
    "tokenkit.PermissionPlan.preview": lambda ws, _: ws.plan_permissions([BI_TEAM]).preview(),
    "tokenkit.FleetResumePlan.apply": lambda ws, plan: tokenkit.fleet([ws]).plan_resume(plan.run_id).apply(),
    "tokenkit.FleetResumePlan.left_out": lambda ws, plan: tokenkit.fleet([ws]).plan_resume(plan.run_id).left_out,
    "tokenkit.FleetResumePlan.preview": lambda ws, plan: tokenkit.fleet([ws]).plan_resume(plan.run_id).preview(),
    "tokenkit.ResumePlan.apply": lambda ws, plan: ws.plan_resume(plan.run_id).apply(),
    "tokenkit.ResumePlan.preview": lambda ws, plan: ws.plan_resume(plan.run_id).preview(),
    "tokenkit.RevocationPlan.apply": lambda ws, _: ws.revoke(ws.tokens(status="expired").head(1)).apply(),
    "tokenkit.RevocationPlan.preview": lambda _, plan: plan.preview(),
    "tokenkit.UpdatePlan.apply": lambda ws, _: ws.plan_scopes().apply(),
    "tokenkit.UpdatePlan.preview": lambda ws, _: ws.plan_scopes().preview(),
    "tokenkit.TokenManagementAPI.get_permission_levels": lambda ws, _: ws.token_management.get_permission_levels(),
    "tokenkit.TokenManagementAPI.get_permissions": lambda ws, _: ws.token_management.get_permissions(),
    "tokenkit.TokenManagementAPI.list": lambda ws, _: ws.token_management.list(),
    "tokenkit.TokenManagementAPI.set_permissions": lambda ws, _: ws.token_management.set_permissions([BI_TEAM]),
    "tokenkit.TokenManagementAPI.update_permissions": lambda ws, _: ws.token_management.update_permissions([BI_TEAM]),
    "tokenkit.Workspace.access": lambda ws, _: ws.access(),
    "tokenkit.Workspace.changes": lambda ws, _: (ws.snapshot(), ws.changes())[-1],
    "tokenkit.Workspace.listing": lambda ws, _: ws.listing(),
    "tokenkit.Workspace.groups": lambda ws, _: ws.groups(),
    "tokenkit.Workspace.journal": lambda ws, _: ws.journal(),
    "tokenkit.Workspace.resume": lambda ws, plan: ws.resume(plan.run_id),
    "tokenkit.Workspace.runs": lambda ws, _: ws.runs(),
    "tokenkit.Workspace.scopes": lambda ws, _: ws.scopes(),
    "tokenkit.Workspace.service_principals": lambda ws, _: ws.service_principals(),
    "tokenkit.Workspace.snapshots": lambda ws, _: ws.snapshots(),
    "tokenkit.Workspace.tokens": lambda ws, _: ws.tokens(),
    "tokenkit.Workspace.sign_in_methods": lambda ws, _: ws.sign_in_methods(rows=log(ws)),
    "tokenkit.Workspace.usage": lambda ws, _: ws.usage(rows=log(ws)),
    "tokenkit.Workspace.usage_details": lambda ws, _: ws.usage_details("a" * 64, rows=log(ws)),
    "tokenkit.Workspace.users": lambda ws, _: ws.users(),
    "tokenkit.Fleet.sign_in_methods": lambda ws, _: tokenkit.fleet([ws]).sign_in_methods(rows=log(ws)),
    "tokenkit.Fleet.usage": lambda ws, _: tokenkit.fleet([ws]).usage(rows=log(ws)),
    "tokenkit.Fleet.usage_details": lambda ws, _: tokenkit.fleet([ws]).usage_details("a" * 64, rows=log(ws)),
}
BI_TEAM = {"group_name": "bi-team", "permission_level": "CAN_USE"}


def log(workspace):
    """An audit log with a sign-in."""
    return frame(event("a" * 64, event_time=workspace.now().isoformat()))


def of_fleet(workspace):
    fleet = tokenkit.fleet([workspace])
    return fleet.revoke(fleet.tokens(status="expired").head(1))


def named(name):
    """Return the columns that a docstring names: one by one, as those of a schema, or as another function's."""
    returns = section(explanation(name), "Returns")
    mentioned = tuple(f".{words}" for words in re.findall(r"``([\w.]+)``", returns))
    like = [each for each in GIVING_FRAMES if f".{each}".endswith(mentioned)]
    return set().union(*map(spelled_out, [name, *like]))


def explanation(name):
    """Return the docstring of a function, or the text about an attribute in the docstring of its class."""
    if name in FUNCTIONS:
        return inspect.getdoc(FUNCTIONS[name])
    kind, _, attribute = name.rpartition(".")
    attributes = section(inspect.getdoc(CLASSES[kind]), "Attributes")
    return re.search(rf"^{attribute}: (.*(?:\n    .*)*)", attributes, re.MULTILINE)[1]


def spelled_out(name):
    docstring = explanation(name)
    schemas = re.findall(r"``frames\.(\w+)``", section(docstring, "Returns"))
    words = re.findall(r"\w+", " ".join(re.findall(r"``([\w,\s]+)``", docstring)))
    return set(words).union(*(getattr(frames, schema).names for schema in schemas))


def test_every_function_that_gives_a_frame_is_among_the_cases():
    assert set(FRAMES) & set(FUNCTIONS) == GIVING_FRAMES


@pytest.fixture(scope="module")
def revocation(tmp_path_factory):
    """A workspace, and a plan that was carried out there. Tests change it: it is asked for columns, not for rows."""
    with Sandbox(tokens=60) as company:
        home = tmp_path_factory.mktemp("home")
        workspace = tokenkit.connect(host=company.host, token=company.token, home=home)
        plan = workspace.revoke(workspace.tokens(status="active").tail(1))
        plan.apply()
        yield workspace, plan
        assert list(company.errors) == []


@pytest.mark.parametrize("name", FRAMES)
def test_the_docstring_names_every_column_of_the_frame(name, revocation):
    assert set(FRAMES[name](*revocation).columns) <= named(name)
