"""The list of attacks that touch a server, and the tests that try each. A line is here with at least one test, and every test named is there."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.server.servers import ROOT

ATTACKS: dict[str, tuple[str, ...]] = {
    "code in a dump": (
        "dump/test_bad_dumps.py",
        "engine_suite/test_trouble.py::test_a_hostile_base_with_a_trigger_is_refused",
    ),
    "symlinks and special members in archives": (
        "dump/test_bad_dumps.py::test_symlinks_compression_encryption_and_hidden_bytes",
        "templates/test_install.py::test_links_and_devices_in_a_zip",
    ),
    "names that lead out of a folder": (
        "templates/test_install.py::test_names_that_lead_out_or_that_no_system_holds",
        "addresses/test_afar.py::test_names_that_lead_elsewhere_are_refused",
    ),
    "archive bombs": (
        "dump/test_bad_dumps.py::test_bomb_is_not_expanded",
        "templates/test_install.py::test_bombs",
        "server/test_attacks.py::test_too_large_bodies",
    ),
    "a cut or failed restore leaves nothing": (
        "dump/test_bad_dumps.py::test_refused_dump_leaves_the_store_empty",
        "server/test_commands.py::test_a_failed_restore_leaves_nothing",
    ),
    "XML entities, expansion and depth before login": (
        "odata/test_bad_input.py::test_an_entity_of_the_file_system_is_not_read",
        "server/test_attacks.py::test_malformed_bodies",
    ),
    "formulas in exports": (
        "administration/test_log.py::test_csv_runs_nothing_in_a_spreadsheet",
        "administration/test_log.py::test_no_cell_begins_like_a_formula",
    ),
    "injection into filters, orders and names": (
        "server/test_attacks.py::test_injections_into_queries",
        "server/test_attacks.py::test_texts_are_only_texts",
        "query/test_refusals.py::test_hostile_names_are_refused",
    ),
    "filters 10,000 deep or 20,000 wide": ("server/test_attacks.py::test_huge_and_deep_filters",),
    "objects of other users": ("server/test_attacks.py::test_another_users_records", "server/rights/test_rights.py"),
    "a user creates, loads or restores": (
        "server/test_attacks.py::test_a_clerk_is_no_cluster_administrator",
        "server/test_sessions.py::test_who_may_not_gets_nothing_and_is_noted",
    ),
    "service fields through generic writing": ("server/test_attacks.py::test_service_fields_cannot_be_written",),
    "administration before and without a password": (
        "server/test_attacks.py::test_routes_without_a_session_are_these_and_no_others",
        "server/test_attacks.py::test_a_clerk_is_no_cluster_administrator",
    ),
    "guessing of passwords, invented addresses": (
        "server/test_sessions.py::test_a_guesser_waits_and_an_honest_user_of_another_name_does_not",
        "server/test_attacks.py::test_forwarded_addresses_are_not_believed",
    ),
    "who exists is told by words or by time": (
        "server/test_sessions.py::test_wrong_names_and_wrong_passwords_look_alike",
        "server/test_hostile_clients.py::test_every_failed_login_costs_the_same_work",
    ),
    "tokens: fixed, forged, replayed, of another base": (
        "server/test_sessions.py::test_forged_replayed_and_foreign_tokens",
        "server/test_sessions.py::test_a_token_is_new_at_every_login_and_no_secret_is_stored",
    ),
    "tokens that outlive a password, a block, a restore": (
        "server/test_sessions.py::test_a_token_dies_with_what_it_rests_on",
        "server/test_sessions.py::test_sessions_denied_end_sessions_and_the_code_lets_in",
    ),
    "hashes and tokens read through an interface": (
        "server/test_attacks.py::test_injections_into_queries",
        "server/test_sessions.py::test_sql_does_not_travel",
    ),
    "unknown infobases": ("server/test_sessions.py::test_an_unknown_base_is_named",),
    "an expired block": ("server/test_sessions.py::test_sessions_denied_end_sessions_and_the_code_lets_in",),
    "every route without a session": ("server/test_attacks.py::test_routes_without_a_session_are_these_and_no_others",),
    "changes by GET and by forms": ("server/test_attacks.py::test_changes_by_get_and_by_forms_are_refused",),
    "bodies of 2 GB": (
        "server/test_attacks.py::test_two_gigabytes_announced",
        "server/test_attacks.py::test_too_large_bodies",
    ),
    "slow bodies": (
        "server/test_attacks.py::test_a_client_that_falls_silent_is_cut_off",
        "server/test_hostile_clients.py::test_a_client_that_drips_bytes_is_cut_off",
    ),
    "slow heads": ("server/test_hostile_clients.py::test_a_head_that_drips_is_cut_off",),
    "a posting submitted twice": (
        "server/test_attacks.py::test_double_submit_of_a_posting",
        "server/test_sessions.py::test_a_change_repeated_after_a_lost_answer_happens_once",
    ),
    "two restores of one base": ("server/test_hostile_clients.py::test_two_restores_of_one_base_at_once",),
    "a worker killed in mid-call": ("server/test_attacks.py::test_a_worker_killed_in_mid_call_harms_nobody",),
    "a database that vanishes and returns": (
        "server/test_hostile_clients.py::test_a_database_that_vanishes_and_returns",
    ),
    "a full disk under PostgreSQL": ("server/test_hostile_clients.py::test_a_full_disk_under_postgresql",),
    "a primary that dies under load": (
        "server/test_failover.py::test_a_fail_over_under_load_loses_and_doubles_nothing",
    ),
    "secrets in processes, logs, answers and files": (
        "server/test_attacks.py::test_secrets_show_nowhere",
        "server/test_secrets.py::test_the_password_of_a_dsn_shows_nowhere",
        "server/test_attacks.py::test_the_log_has_no_names_and_no_values",
    ),
    "code in stored data": ("server/test_attacks.py::test_malformed_bodies", "test_architecture.py"),
    "a restore while a backup runs": ("server/test_meeting_works.py::test_a_restore_while_a_backup_runs",),
    "a dump while the base is restructured": (
        "server/test_meeting_works.py::test_dumps_while_the_base_is_restructured",
    ),
    "code in expressions and fields of restrictions": (
        "metadata/test_expressions.py::test_everything_else_is_refused",
        "test_architecture.py::test_nothing_from_a_file_can_run_and_no_error_is_swallowed",
    ),
    "templates of prints and pages that are code": (
        "test_architecture.py::test_nothing_from_a_file_can_run_and_no_error_is_swallowed",
    ),
    "a user who names himself after another": ("rights/test_users.py",),
    "addresses that lead inside": (
        "classifiers/test_sources.py::test_inner_addresses_are_refused",
        "classifiers/test_sources.py::test_a_redirect_inside_is_refused_though_the_first_step_was_allowed",
        "classifiers/test_sources.py::test_only_plain_web_addresses",
        "server/test_theft.py::test_the_server_opens_no_file_and_no_address_a_client_names",
    ),
    "scripts in stored texts": ("server/test_theft.py::test_stored_markup_is_never_a_page",),
    "pickles and other code in caches, sessions and jobs": (
        "test_architecture.py::test_nothing_from_a_file_can_run_and_no_error_is_swallowed",
        "server/test_attacks.py::test_malformed_bodies",
    ),
    "files sent and shown under another's name": (
        "server/test_theft.py::test_sent_files_stay_in_their_folder",
        "server/test_theft.py::test_every_table_by_query",
    ),
    "every door without rights": (
        "server/test_theft.py::test_every_call_is_a_door_in_the_table",
        "server/test_theft.py::test_calls_without_rights",
        "server/test_theft.py::test_served_functions_without_rights",
        "server/test_theft.py::test_the_standard_interface_without_rights",
        "server/test_theft.py::test_verbs_without_rights",
    ),
    "a dump by one administrator alone": ("server/test_theft.py::test_one_administrator_alone_is_refused",),
    "a copied backup": ("server/test_theft.py::test_a_backup_of_the_server_tells_nothing",),
    "a newer or foreign dump": ("dump/test_bad_dumps.py::test_newer_format_says_so",),
}
"""What is tried -> test files, or tests in them, under tests/."""


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_has_its_test(attack: str) -> None:
    assert ATTACKS[attack]
    for named in ATTACKS[attack]:
        file, _, name = named.partition("::")
        assert (ROOT / "tests" / file).is_file(), file
        assert not name or name in functions_of(file), named
