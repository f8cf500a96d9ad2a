"""Each promise of SECURITY.md withstands its attack, which is a test in a file that the page names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")

ATTACKS = {
    "the credential you sign in with": [
        "tests/rest/test_transport.py::test_a_credential_that_the_server_echoes_is_not_in_the_error",
        "tests/rest/test_hostile_responses.py::test_an_interrupt_has_no_frames_with_the_credential",
        "tests/test_pickling.py::test_what_holds_a_workspace_is_not_pickled",
    ],
    "the same, sent to a host": [
        "tests/rest/test_credentials.py::test_the_credential_of_the_environment_is_sent_only_to_its_host",
        "tests/rest/test_credentials.py::test_the_credential_of_a_profile_is_sent_only_to_its_host",
        "tests/rest/test_hosts.py::test_an_invalid_host_is_an_error_with_the_reason",
    ],
    "the token in the environment": [
        "tests/rest/test_credentials.py::test_one_token_in_the_environment_is_not_sent_to_two_hosts_of_a_fleet",
        "tests/test_spark.py::test_a_token_of_the_environment_is_not_sent_to_several_hosts",
    ],
    "the credential in transit": ["tests/rest/test_transport.py::test_a_redirect_is_not_followed"],
    "the value of a new token": [
        "tests/rest/test_token_management.py::test_an_obo_token_shows_its_value_only_on_request",
        "tests/test_kernel.py::test_a_saved_notebook_that_makes_a_token_holds_no_value",
        "tests/actions/test_creation.py::test_a_token_whose_value_is_lost_is_named",
    ],
    "a credential in a new comment": [
        "tests/actions/test_update.py::test_a_new_comment_with_what_looks_like_a_credential_is_refused",
        "tests/actions/test_creation.py::test_a_comment_with_what_looks_like_a_credential_creates_nothing",
    ],
    "values that leaked (`find-leaked`)": [
        "tests/commands/test_find_leaked.py::test_a_value_in_a_command_is_rejected_and_not_repeated",
        "tests/commands/test_find_leaked.py::test_values_are_not_in_the_frames_of_an_error_that_comes_later",
    ],
    "tokens": [
        "tests/commands/test_changing_previews.py::test_a_dry_run_has_the_most_dangerous_tokens_first_and_no_warning_cut",
        "tests/actions/test_revocation.py::test_the_token_that_signs_in_is_marked_and_is_revoked_after_all_others",
    ],
    "protected tokens": [
        "tests/actions/test_protect.py::test_a_token_that_is_protected_since_the_plan_is_skipped",
        "tests/actions/test_protect.py::test_what_cannot_be_read_is_an_error_and_not_no_protection",
    ],
    "the truth about a token": [
        "tests/actions/test_outcomes.py::test_a_listing_without_the_tokens_ends_none_of_them",
        "tests/actions/test_interruptions.py::test_a_run_that_is_interrupted_anywhere_says_what_it_did_and_can_be_finished",
    ],
    "another workspace's tokens": [
        "tests/workspaces/test_runs.py::test_a_run_is_not_resumed_with_the_workspace_of_another_host",
        "tests/workspaces/test_runs.py::test_a_run_is_not_resumed_with_another_workspace_of_the_same_host",
    ],
    "what is selected": [
        "tests/browser/test_explorer.py::test_clicks_while_the_kernel_is_busy_change_the_tokens_that_were_seen",
        "tests/widgets/test_explorer.py::test_a_late_confirmation_of_an_earlier_plan_is_ignored",
    ],
    "your screen, terminal and spreadsheet": [
        "tests/test_hostile_text.py::test_in_csv_whatever_parts_its_cells",
        "tests/output/test_page.py::test_text_is_clean_however_a_template_shows_it",
        "tests/widgets/test_hostile.py::test_no_trait_of_the_explorer_has_text_of_the_workspace",
    ],
    "your kernel and shell": [
        "tests/test_magic.py::test_nothing_in_a_command_or_in_a_variable_is_run",
        "tests/review/test_expressions.py::test_an_expression_that_is_too_deep_or_too_long_is_an_error",
        "tests/review/test_patterns.py::test_a_pattern_that_does_not_end_in_other_engines_is_matched",
    ],
    "your memory and time": [
        "tests/rest/test_hostile_responses.py::test_a_listing_with_many_apparent_list_starts_is_read_in_bounded_time",
        "tests/rest/test_identities.py::test_endless_pages_are_an_error",
    ],
}


def promises():
    """Return the rows of the page's table: what is protected, and the files that hold it."""
    section = PAGE.partition("## What is protected\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    return {row[0].strip(): re.findall(r"`(tests/[\w./-]+)`", row[3]) for row in rows}


def test_every_promise_of_the_page_has_its_attack():
    assert promises().keys() == ATTACKS.keys()


@pytest.mark.parametrize("promise", ATTACKS)
def test_the_attack_is_run_by_a_test_of_a_file_that_the_promise_names(promise):
    for attack in ATTACKS[promise]:
        file, _, name = attack.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, attack
        assert file in promises()[promise], attack


def test_every_file_that_the_page_names_is_there():
    named = re.findall(r"`((?:tests|docs|tokenkit)/[\w./-]+)`", PAGE)
    assert len(named) > 20
    assert [each for each in named if not (ROOT / each).exists()] == []
