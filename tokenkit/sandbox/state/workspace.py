"""The complete state of one workspace: tokens, identities, permissions, settings and secrets."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tokenkit.sandbox.state.directory import ADMINS, Directory
from tokenkit.sandbox.state.folders import Folders
from tokenkit.sandbox.state.passwords import Passwords
from tokenkit.sandbox.state.permissions import Permissions
from tokenkit.sandbox.state.restriction import Restriction
from tokenkit.sandbox.state.secrets import Secrets
from tokenkit.sandbox.state.settings import WorkspaceConf
from tokenkit.sandbox.state.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.sandbox.state.database import Database


class State:
    """The state of a workspace. Tests read it directly. All methods are thread-safe."""

    def __init__(self, database: Database, workspace_id: int, entropy: Callable[[int], bytes]) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self._entropy = entropy
        self.tokens = Tokens(database, workspace_id, entropy)
        self.directory = Directory(database, workspace_id, entropy)
        self.permissions = Permissions(database, workspace_id, self.directory, self.tokens)
        self.settings = WorkspaceConf(database, workspace_id)
        self.folders = Folders(database, workspace_id)
        self.passwords = Passwords(self.settings, self.directory)
        self.restriction = Restriction(self.settings)
        self.secrets = Secrets(database, workspace_id)

    def __repr__(self) -> str:
        return f"<State of workspace {self.workspace_id}>"

    def is_admin(self, identity_id: int) -> bool:
        """Return whether an identity is in ``admins``, directly or through nested groups."""
        return self.directory.is_in(identity_id, ADMINS)

    def remove(self, identity_id: int) -> None:
        """Remove an identity, its memberships and its entry in the access control list, but not its tokens."""
        self.directory.remove(identity_id)
        self.permissions.remove_entry(identity_id)

    def new_uuid(self) -> str:
        """Return a new application id."""
        return str(uuid.UUID(bytes=self._entropy(16), version=4))
