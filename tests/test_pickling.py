"""No credential goes into a pickle or a copy, by whatever holds the workspace."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import cloudpickle
import pytest

import tokenkit

ENTRY = {"group_name": "admins", "permission_level": "CAN_MANAGE"}
HOLDERS = {
    "the workspace": lambda workspace: workspace,
    "a method": lambda workspace: workspace.tokens,
    "a function over it": lambda workspace: lambda: len(workspace.tokens()),
    "the API": lambda workspace: workspace.token_management,
    "an audit": lambda workspace: workspace.audit(),
    "leaks": lambda workspace: workspace.find_leaked(["dapi" + "0" * 32]),
    "a revocation": lambda workspace: workspace.revoke(workspace.tokens()["token_id"].head(1)),
    "an update": lambda workspace: workspace.plan_update(workspace.tokens().head(1), comment="x"),
    "a permission change": lambda workspace: workspace.plan_permissions([ENTRY]),
    "a fleet": lambda workspace: tokenkit.fleet([workspace]),
    "a method of a fleet": lambda workspace: tokenkit.fleet([workspace]).tokens,
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_what_holds_a_workspace_is_not_pickled(sandbox, connected, holder):
    held = holder(connected(sandbox))
    for number in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(held, number)
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*tokenkit\.connect"):
        cloudpickle.dumps(held)


@pytest.mark.parametrize("write_down", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("holder", ["the workspace", "a fleet", "a method", "a method of a fleet"])
def test_a_workspace_and_a_fleet_say_what_to_do_instead(sandbox, connected, write_down, holder):
    held = HOLDERS[holder](connected(sandbox))
    if holder.startswith("a method") and write_down is copy.copy:
        return  # a copy of a method is the method
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*Pass frames"):
        write_down(held)


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_a_workspace_cannot_be_passed_to_another_process(sandbox, connected, start):
    workspace = connected(sandbox)
    fleet = tokenkit.fleet([workspace])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(start)) as pool:
        for asked in (pool.submit(workspace.tokens), pool.submit(len, workspace), pool.submit(fleet.tokens)):
            with pytest.raises(TypeError, match=r"cannot be pickled or copied.*tokenkit\.connect"):
                asked.result(timeout=60)


def test_frames_are_pickled(sandbox, connected):
    tokens = connected(sandbox).tokens()
    assert sandbox.token.encode() not in pickle.dumps(tokens)
    assert pickle.loads(pickle.dumps(tokens)).equals(tokens)  # noqa: S301 - our own
