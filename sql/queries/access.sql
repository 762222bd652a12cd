-- What the API and the commands ask of users, API keys and sessions.

-- name: access_is_open
select not exists (select from pgqueue_private.app_user) as open;

-- name: find_api_key
select
    k.id, k.secret_sha256, k.name as key_name, k.scopes, k.queues, k.types, u.id as user_id, u.email, u.role,
    date_part('epoch', k.expires_at - pgqueue.clock()) as left_s,
    coalesce(k.last_used_on <> (pgqueue.clock() at time zone 'utc')::date, true) as unused_today
from pgqueue_private.api_key as k
join pgqueue_private.app_user as u on u.id = k.user_id
where k.id = %(id)s and k.revoked_at is null and (k.expires_at is null or k.expires_at > pgqueue.clock()) and u.disabled_at is null;

-- name: use_api_key
update pgqueue_private.api_key set last_used_on = (pgqueue.clock() at time zone 'utc')::date where id = %(id)s;

-- name: find_session
select
    u.id as user_id, u.email, u.role,
    date_part('epoch', least(s.expires_at, s.seen_at + %(idle_s)s * interval '1 second') - pgqueue.clock()) as left_s,
    pgqueue.clock() - s.seen_at > interval '5 minutes' as unseen
from pgqueue_private.session as s
join pgqueue_private.app_user as u on u.id = s.user_id
where s.token_sha256 = %(token_sha256)s and u.disabled_at is null and s.expires_at > pgqueue.clock()
    and s.seen_at + %(idle_s)s * interval '1 second' > pgqueue.clock();

-- name: see_session
update pgqueue_private.session set seen_at = pgqueue.clock() where token_sha256 = %(token_sha256)s;

-- name: open_session
select pgqueue_private.open_session(%(token_sha256)s, %(user_id)s, %(lasts_s)s);

-- name: close_session
select pgqueue_private.close_session(%(token_sha256)s);

-- name: find_password
select id, email, role, password_hash from pgqueue_private.app_user where email = lower(%(email)s) and disabled_at is null;

-- name: set_password
select pgqueue_private.set_password(%(user_id)s, %(password_hash)s, %(kept_sha256)s);

-- name: add_user
select pgqueue_private.add_user(%(email)s, %(role)s, %(name)s, %(password_hash)s) as id;

-- name: add_first_admin
-- Of several servers that start at the same time, one adds it.
with turn as (select pg_advisory_xact_lock(hashtextextended('pgqueue:users', 0)))
select pgqueue_private.add_user(%(email)s, %(role)s, %(name)s, %(password_hash)s) as id
from turn
where not exists (select from pgqueue_private.app_user);

-- name: patch_user
select pgqueue_private.patch_user(%(id)s, %(settings)s::jsonb, %(versions)s::bigint[]) as version;

-- name: list_users
select version, json_build_object(
    'id', id, 'email', email, 'name', name, 'role', role, 'enabled', disabled_at is null,
    'disabled_at', pgqueue_private.json_time(disabled_at), 'has_password', password_hash is not null,
    'version', version, 'created_at', pgqueue_private.json_time(created_at)
)::text as item
from pgqueue_private.app_user
where %(id)s::bigint is null or id = %(id)s
order by app_user.id
limit 10000;

-- name: find_user
select id, email, role, disabled_at is null as enabled from pgqueue_private.app_user where email = lower(%(email)s);

-- name: create_api_key
select pgqueue_private.create_api_key(
    %(id)s, %(secret_sha256)s, %(user_id)s, %(name)s, %(scopes)s::text[], %(queues)s::text[], %(types)s::text[],
    %(expires_at)s::timestamptz
);

-- name: revoke_api_key
select pgqueue_private.revoke_api_key(%(id)s, %(user_id)s::bigint) as revoked;

-- name: list_api_keys
select json_build_object(
    'id', k.id, 'name', k.name, 'user_id', k.user_id, 'email', u.email, 'scopes', k.scopes, 'queues', k.queues, 'types', k.types,
    'created_at', pgqueue_private.json_time(k.created_at), 'expires_at', pgqueue_private.json_time(k.expires_at),
    'revoked_at', pgqueue_private.json_time(k.revoked_at), 'last_used_on', k.last_used_on
)::text as item
from pgqueue_private.api_key as k
join pgqueue_private.app_user as u on u.id = k.user_id
where (%(user_id)s::bigint is null or k.user_id = %(user_id)s) and (%(id)s::text is null or k.id = %(id)s)
order by k.revoked_at is not null, k.created_at desc, k.id
limit 1000;

-- name: audit_asked
select pgqueue_private.audit_asked(
    %(user_id)s, %(actor)s, %(via)s, %(key_id)s, %(action)s, %(object)s, %(address)s, %(status)s
) as id;

-- name: audit_answered
select pgqueue_private.audit_answered(%(id)s, %(status)s);

-- name: list_audit
select a.id::text, json_build_object(
    'id', a.id, 'at', pgqueue_private.json_time(a.at), 'user_id', a.user_id, 'actor', a.actor, 'via', a.via, 'key_id', a.key_id,
    'action', a.action, 'object', a.object, 'address', a.address, 'status', a.status
)::text as item
from pgqueue.audit as a
where (%(id)s::uuid is null or a.id = %(id)s) and (%(before)s::uuid is null or a.id < %(before)s)
    and (%(user_id)s::bigint is null or a.user_id = %(user_id)s) and (%(action)s::text is null or a.action = %(action)s)
order by a.id desc
limit %(max_rows)s;

-- name: prune_audit
select pgqueue_private.prune_audit(%(keep_days)s) as dropped;

-- name: find_identity
select user_id, email, role from pgqueue_private.find_identity(%(issuer)s, %(subject)s, %(verified_email)s);

-- name: begin_login
insert into pgqueue_private.oidc_login (state_sha256, browser_sha256, expires_at, nonce, code_verifier, return_to)
values (
    %(state_sha256)s, %(browser_sha256)s, pgqueue.clock() + interval '10 minutes', %(nonce)s, %(code_verifier)s, %(return_to)s
);

-- name: end_login
-- Whatever comes of it: a state is used once.
delete from pgqueue_private.oidc_login
where state_sha256 = %(state_sha256)s
returning
    nonce, code_verifier, return_to,
    browser_sha256 = %(browser_sha256)s and expires_at > pgqueue.clock() as valid;
