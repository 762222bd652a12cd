"""Mutants of the access rules: each lets somebody do what is not theirs to do."""

from tests.mutants.mutant import Change, Mutant, one

__all__ = ["ACCESS"]

_GATE = "api/pgqueue_api/access/gate.py"
_QUERIES = "sql/queries/access.sql"

ACCESS: tuple[Mutant, ...] = (
    one(
        "scope not asked for",
        "whoever is known may do everything",
        Change(_GATE, "            principal.check_scope(need)\n", "            pass\n"),
        "test_a_key_may_do_what_its_scopes_say[metrics]",
        "test_a_role_may_do_what_is_its_own[key-viewer]",
    ),
    one(
        "secret not compared",
        "the id of a key is enough, which is no secret",
        Change(
            _GATE,
            "        if row is None or not hmac.compare_digest(\n"
            '            credentials.sha256(key.secret), bytes(row["secret_sha256"])\n'
            "        ):\n",
            "        if row is None:\n",
        ),
        "test_keys_that_do_not_work_are_refused_alike",
    ),
    one(
        "revoked key found",
        "a key works for ever",
        Change(_QUERIES, "k.revoked_at is null and (", "("),
        "test_keys_that_do_not_work_are_refused_alike",
        "test_a_revoked_key_stops_at_once_and_stays_in_the_list",
    ),
    one(
        "nothing forgotten",
        "what was revoked works until it is looked up again",
        Change(_GATE, "        self._known.clear()\n", ""),
        "test_a_revoked_key_stops_at_once_and_stays_in_the_list",
        'test_who_is_disabled_or_has_another_role_is_signed_out[{"enabled": false}]',
    ),
    one(
        "narrow key let through",
        "a key for some queues does everything in all of them",
        Change(
            _GATE,
            "if principal.narrow and not submits:",
            "if principal.narrow and submits is None:",
        ),
        "test_a_key_for_a_queue_or_a_type_submits_there_and_does_nothing_else",
    ),
    one(
        "page without its token",
        "a session changes things for whatever page asks",
        Change(
            _GATE,
            "if principal.csrf_token is not None and method not in SAFE:",
            "if principal.csrf_token is None and method not in SAFE:",
        ),
        "test_a_change_from_a_page_needs_its_token",
    ),
    one(
        "open to others",
        "a server without users lets everybody on the network do everything",
        Change(_GATE, "        if not self.local:\n            return False\n", ""),
        "test_a_server_that_others_reach_is_closed_without_users",
    ),
    one(
        "role not looked at",
        "a key may do more than its user",
        Change(_GATE, 'ROLES[row["role"]] & frozenset(row["scopes"])', 'frozenset(row["scopes"])'),
        "test_a_key_never_may_do_more_than_its_user",
        "test_a_role_may_do_what_is_its_own[key-viewer]",
    ),
    one(
        "change without an entry",
        "who changed what is not written down",
        Change(
            "api/pgqueue_api/app.py",
            '        if scope["method"] not in SAFE and not submits:\n',
            '        if scope["method"] not in SAFE and submits:\n',
        ),
        "test_every_change_has_an_entry_and_no_reading_has",
        "test_what_cannot_be_noted_is_not_done",
    ),
    one(
        "any audience",
        "a token for another service opens this one",
        Change(
            "api/pgqueue_api/access/issuer.py",
            '                aud={"essential": True, "value": audience},\n',
            "",
        ),
        "test_a_token_of_another_kind_is_refused",
    ),
    one(
        "address believed",
        "an address that the issuer has not verified makes one its owner",
        Change(
            "api/pgqueue_api/access/oidc.py",
            'if claims.get("email_verified") is True else None',
            "",
        ),
        "test_an_access_token_is_its_user_by_the_verified_address",
    ),
    one(
        "sign-in of another browser",
        "whoever has a link signs its opener in",
        Change(
            _QUERIES, "    browser_sha256 = %(browser_sha256)s and expires_at", "    expires_at"
        ),
        "test_a_sign_in_is_used_once_by_the_browser_that_began_it",
    ),
)
