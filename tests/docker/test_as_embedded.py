"""What holds on the embedded engine holds on Docker: two users and their own rows, a schema that is verified.

The same tests, on the stack of this folder's conftest.py.
"""

from tests.embedded.test_clients import (
    alice,
    bob,
    people,
    service,
    test_a_public_prompt_is_read_by_all_who_signed_in_and_changed_by_none,
    test_a_visitor_meets_nothing_and_the_service_key_everything,
    test_embedded_resources,
    test_errors_of_the_database_keep_their_codes,
    test_other_users_neither_see_nor_touch_it,
    test_owners_read_and_change_their_own_row,
    test_supabase_js_finds_the_same,
    test_the_admin_api_makes_finds_and_removes_users,
    test_the_api_sees_what_is_made_while_it_runs,
    test_upserts_json_and_arrays,
)
from tests.embedded.test_verify import test_the_migrated_stack_is_verified

__all__ = [
    "alice",
    "bob",
    "people",
    "service",
    "test_a_public_prompt_is_read_by_all_who_signed_in_and_changed_by_none",
    "test_a_visitor_meets_nothing_and_the_service_key_everything",
    "test_embedded_resources",
    "test_errors_of_the_database_keep_their_codes",
    "test_other_users_neither_see_nor_touch_it",
    "test_owners_read_and_change_their_own_row",
    "test_supabase_js_finds_the_same",
    "test_the_admin_api_makes_finds_and_removes_users",
    "test_the_api_sees_what_is_made_while_it_runs",
    "test_the_migrated_stack_is_verified",
    "test_upserts_json_and_arrays",
]
