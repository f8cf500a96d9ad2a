from tokenkit.sandbox.scim_documents import documents, projection


def test_the_id_is_always_wanted():
    wants = projection("userName", None)
    assert [name for name in ("id", "schemas", "userName", "active") if wants(name)] == ["id", "schemas", "userName"]
    assert projection(None, "id,active")("id")


def test_sub_attributes_count_as_their_parent_whatever_the_case():
    wants = projection("NAME.givenName, Emails.value", "emails")
    assert wants("name")
    assert not wants("emails")
    assert not wants("groups")


def test_without_a_choice_everything_is_wanted():
    assert projection(None, None)("anything")
    assert projection("", "")("anything")


def test_absent_lists_are_left_out(state):
    group = state.directory.add("group", "empty")
    (document,) = documents(state.directory, [group], projection(None, None))
    assert set(document) == {"schemas", "id", "displayName", "meta"}
