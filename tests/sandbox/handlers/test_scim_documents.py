from tokenkit.sandbox.handlers.scim_documents import documents, projection


def test_the_id_is_always_included():
    wants = projection("userName", None)
    assert [name for name in ("id", "schemas", "userName", "active") if wants(name)] == ["id", "schemas", "userName"]
    assert projection(None, "id,active")("id")


def test_sub_attributes_select_their_parent_ignoring_case():
    wants = projection("NAME.givenName, Emails.value", "emails")
    assert wants("name")
    assert not wants("emails")
    assert not wants("groups")


def test_all_attributes_are_included_by_default():
    assert projection(None, None)("anything")
    assert projection("", "")("anything")


def test_empty_lists_are_omitted(state):
    group = state.directory.add("group", "empty")
    (document,) = documents(state.directory, [group], projection(None, None))
    assert set(document) == {"schemas", "id", "displayName", "meta"}
