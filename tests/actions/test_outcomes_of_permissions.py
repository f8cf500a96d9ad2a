"""What the workspace says of a change of permissions, and what becomes of the tokens that it deletes."""

import pandas as pd
import pytest

import tokenkit
from tests.actions.test_outcomes import DISABLED, NO_SUCH_TOKEN, PERMISSIONS, get
from tokenkit.errors import FeatureDisabledError
from tokenkit.sandbox import Fault

pytestmark = pytest.mark.usefixtures("at_once")


def put(**fault):
    return Fault(method="PUT", path=PERMISSIONS, **({"times": 1} | fault))


OTHER = {
    "access_control_list": [
        {"group_name": "analysts", "all_permissions": [{"permission_level": "CAN_USE", "inherited": False}]}
    ]
}
REMOVED = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]
# What the change came to; what apply raised, if it did; then what became of the tokens.
CHANGES = {
    "done": ([], "updated", None, "revoked"),
    "lost after it was made": ([put(drop=True, after_handler=True)], "updated", None, "revoked"),
    "unreadable after it was made": ([put(status=200, body="[" * 9, after_handler=True)], "updated", None, "revoked"),
    "lost before it was made": ([put(drop=True)], "failed", tokenkit.ResponseLostError, "failed"),
    "refused": ([put(status=400)], "failed", tokenkit.InvalidParameterError, "failed"),
    "disabled": ([put(status=404, body=DISABLED)], "failed", FeatureDisabledError, "failed"),
    "lost, and nobody knows": (
        [put(drop=True, after_handler=True), Fault(method="GET", path=PERMISSIONS, status=500, offset=2)],
        "unknown",
        tokenkit.ResponseLostError,
        "unknown",
    ),
    "lost, and it is neither": (
        [put(status=501), Fault(method="GET", path=PERMISSIONS, offset=2, status=200, body=OTHER)],
        "unknown",
        tokenkit.UnavailableError,
        "unknown",
    ),
    "made, and the tokens stay": ([put(status=200, body={"access_control_list": []})], "updated", None, "still_listed"),
    "made, and the tokens stay, but for a 404": (
        [put(status=200, body={"access_control_list": []}), get(status=404, body=NO_SUCH_TOKEN)],
        "updated",
        None,
        "still_listed",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_permissions_is_recorded_and_so_are_its_tokens(ws, company, tmp_path, case):
    faults, change, raised, outcome = CHANGES[case]
    plan = ws.plan_permissions(REMOVED, replace=True)
    company.faults.add(*faults)
    if raised is None:
        assert set(plan.apply()["outcome"]) == {outcome}
    else:
        with pytest.raises(raised):
            plan.apply()
    company.faults.clear()
    (run,) = ws.runs().to_dict("records")
    assert run["change"] == change
    assert set(ws.journal()["outcome"]) == {outcome}
    assert run["remaining"] == (0 if outcome == "revoked" else len(plan))
    # The listing before the change is needed until it is known what the change deleted.
    assert len([*tmp_path.rglob("*.before.parquet")]) == (outcome == "unknown")


def test_a_change_that_is_made_is_known_by_the_permissions_and_not_sent_again(ws, company):
    plan = ws.plan_permissions(REMOVED, replace=True)
    company.faults.add(*CHANGES["lost, and nobody knows"][0])
    with pytest.raises(tokenkit.ResponseLostError):
        plan.apply()
    company.faults.clear()
    company.requests.clear()
    assert set(tokenkit.resume(plan.run_id, workspace=ws)["outcome"]) == {"revoked"}
    assert "PUT" not in {record.method for record in company.requests}
    assert ws.runs()[["change", "remaining"]].to_numpy().tolist() == [["updated", 0]]


def test_a_change_by_which_no_token_ends_is_recorded_and_resumed(ws, company):
    plan = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    company.faults.add(Fault(method="PATCH", path=PERMISSIONS, status=400, times=1))
    with pytest.raises(tokenkit.InvalidParameterError):
        plan.apply()
    (run,) = ws.runs().to_dict("records")
    assert (run["tokens"], run["change"], run["remaining"]) == (0, "failed", 1)
    assert len(tokenkit.resume(plan.run_id, workspace=ws)) == 0
    (run,) = ws.runs().to_dict("records")
    assert (run["change"], run["remaining"], pd.isna(run["finished_at"])) == ("updated", 0, False)
    assert "contractors" in set(ws.token_management.get_permissions()["group_name"])


def test_a_change_is_finished_where_the_listing_before_it_was_deleted(ws, company, tmp_path):
    plan = ws.plan_permissions(REMOVED, replace=True)
    company.faults.add(*CHANGES["lost, and nobody knows"][0])
    with pytest.raises(tokenkit.ResponseLostError):
        plan.apply()
    company.faults.clear()
    (listing,) = tmp_path.rglob("*.before.parquet")
    listing.unlink()
    assert set(tokenkit.resume(plan.run_id, workspace=ws)["outcome"]) == {"revoked"}
