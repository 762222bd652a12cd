-- Who may use the service over HTTP: users, their API keys and their sessions.
--
-- While there is no user, whoever reaches the API may do everything, and it listens on its own machine only. Of every
-- secret only a hash is kept. What is revoked stays as a row, so that its id says who it was.

create table app_user (
    id bigint generated always as identity primary key,  -- 0 stands for nobody: tasks of before, and of SQL
    created_at timestamptz not null,
    disabled_at timestamptz,
    version integer not null default 1,
    role text not null,
    email text not null,                            -- in lower case: what they sign in with
    name text not null default '',
    password_hash text,                             -- Argon2id; null: they cannot sign in with a password
    constraint app_user_role_known check (role in ('viewer', 'operator', 'admin')),
    constraint app_user_email_shape check (email = lower(email) and email ~ '^[^@[:space:][:cntrl:]]{1,64}@[^@[:space:][:cntrl:]]{1,190}$'),
    constraint app_user_name_length check (length(name) <= 200)
);

create unique index app_user_email on app_user (email);

create table api_key (
    id text primary key,                            -- the part of the key that is no secret
    user_id bigint not null references app_user,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_on date,                              -- written once a day
    name text not null,
    secret_sha256 bytea not null,                   -- of 256 random bits: nothing slower is needed
    scopes text[] not null,
    queues text[],                                  -- null: all
    types text[],                                   -- null: all
    constraint api_key_scopes_known check (
        cardinality(scopes) > 0
        and scopes <@ array['tasks:read', 'tasks:write', 'queues:write', 'schedules:write', 'work', 'metrics', 'admin']
    ),
    -- Only submitting looks at the queue and the type of a task before anything is done or read.
    constraint api_key_narrow_submits check ((queues is null and types is null) or scopes = array['tasks:write']),
    constraint api_key_name_length check (length(name) between 1 and 100)
);

create index api_key_user on api_key (user_id);

create table session (
    token_sha256 bytea primary key,
    user_id bigint not null references app_user,
    created_at timestamptz not null,
    seen_at timestamptz not null,                   -- written every few minutes
    expires_at timestamptz not null
);

create index session_user_id on session (user_id);
create index session_expires on session (expires_at);

-- Who somebody is to an issuer of OpenID Connect: by its own id of them, which never changes hands as an address may.
create table user_identity (
    issuer text not null,
    subject text not null,
    user_id bigint not null references app_user,
    linked_at timestamptz not null,
    email text not null,                            -- the verified address by which they were found, at that time
    primary key (issuer, subject)
);

-- Sign-ins that an issuer has not answered yet. Each is used once, by the browser that began it.
create table oidc_login (
    state_sha256 bytea primary key,
    browser_sha256 bytea not null,
    expires_at timestamptz not null,
    nonce text not null,
    code_verifier text not null,
    return_to text not null
);
