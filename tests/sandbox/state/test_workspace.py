import uuid


def test_the_state_knows_the_admins(state):
    admin = state.directory.named("user", "admin@example.com")
    assert state.is_admin(admin.id)
    assert not state.is_admin(state.directory.add("user", "someone@example.com").id)


def test_application_ids_are_random_uuids(state):
    assert uuid.UUID(state.new_uuid()).version == 4
    assert state.new_uuid() != state.new_uuid()


def test_the_state_names_its_workspace(state, sandbox):
    assert str(sandbox.workspaces[0].workspace_id) in repr(state)
