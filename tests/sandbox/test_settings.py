import pytest

from .conftest import CONF


def test_an_unset_setting_is_null(admin):
    assert admin.ok("GET", CONF, params={"keys": "maxTokenLifetimeDays,enableTokensConfig"}) == {
        "maxTokenLifetimeDays": None,
        "enableTokensConfig": "true",
    }


def test_a_setting_is_text_and_zero_takes_it_back(admin):
    keys = {"keys": "maxTokenLifetimeDays"}
    response = admin("PATCH", CONF, {"maxTokenLifetimeDays": "180"})
    assert (response.status_code, response.content) == (204, b"")
    assert admin.ok("GET", CONF, params=keys) == {"maxTokenLifetimeDays": "180"}
    admin.ok("PATCH", CONF, {"maxTokenLifetimeDays": "0"})
    assert admin.ok("GET", CONF, params=keys) == {"maxTokenLifetimeDays": None}


def test_the_sdks_path_works_too(admin):
    admin.ok("PATCH", "/api/2.0/workspace-conf", {"maxTokenLifetimeDays": "7"})
    assert admin.ok("GET", CONF, params={"keys": "maxTokenLifetimeDays"}) == {"maxTokenLifetimeDays": "7"}


@pytest.mark.parametrize(
    "change",
    [
        {"maxTokenLifetimeDays": 90},
        {"maxTokenLifetimeDays": "-1"},
        {"maxTokenLifetimeDays": "731"},
        {"maxTokenLifetimeDays": "ninety"},
        {"maxTokenLifetimeDays": "²"},
        {"maxTokenLifetimeDays": None},
        {"enableTokensConfig": True},
        {"enableTokensConfig": "no"},
        {"enableEverything": "true"},
        {"maxTokenLifetimeDays": "30", "enableEverything": "true"},
    ],
)
def test_a_bad_setting_is_refused_and_nothing_is_changed(admin, state, change):
    assert admin.refused("PATCH", CONF, change) == (400, "INVALID_PARAMETER_VALUE")
    assert state.settings.get("maxTokenLifetimeDays") is None


@pytest.mark.parametrize("query", ["", "?keys=", "?keys=,", "?keys=enableEverything", "?keys=enableTokensConfig,x"])
def test_asking_for_no_or_unknown_settings_is_refused(admin, query):
    assert admin.refused("GET", CONF + query) == (400, "INVALID_PARAMETER_VALUE")


def test_every_key_that_does_not_exist_is_named_in_one_list_of_json(admin):
    response = admin("GET", f"{CONF}?keys=enableA,maxTokenLifetimeDays,enableB")
    assert response.json()["message"] == 'Invalid keys: ["enableA","enableB"]'
    response = admin("PATCH", CONF, {"enableA": "x", "enableTokensConfig": "false", "enableB": "y"})
    assert response.json()["message"] == 'Invalid keys: ["enableA","enableB"]'


def test_a_key_without_a_meaning_here_is_kept(admin):
    keys = {"keys": "enableIpAccessLists,enableDcs"}
    admin.ok("PATCH", CONF, {"enableIpAccessLists": "true"})
    assert admin.ok("GET", CONF, params=keys) == {"enableIpAccessLists": "true", "enableDcs": None}
