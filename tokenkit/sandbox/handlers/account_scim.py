"""SCIM of the account: the handlers of SCIM, called with the account's directory.

Removing or deactivating an identity of the account affects every workspace, as on the platform.
"""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING

from tokenkit.sandbox.handlers import scim

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.sandbox.handlers.call import Call
    from tokenkit.sandbox.responses import Response


def _of_account(handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
    @wraps(handler)
    def wrapped(call: Call) -> Response:
        state = call.account.state()
        before = scim.find_identity(replace(call, state=state)) if "id" in call.parameters else None
        response = handler(replace(call, state=state))
        if before is not None:
            call.account.change_everywhere(before, state.directory.get(before.id))
        return response

    return wrapped


list_resources = _of_account(scim.list_resources)
create_resource = _of_account(scim.create_resource)
get_resource = _of_account(scim.get_resource)
put_resource = _of_account(scim.put_resource)
patch_resource = _of_account(scim.patch_resource)
delete_resource = _of_account(scim.delete_resource)
