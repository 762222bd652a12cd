"""What is in which schema: the contract, with a sentence on each thing, and what is private."""

from pgqueue.database.queries import SQL
from tests.database.queue import Queue

FUNCTIONS = """
enqueue enqueue_many enqueue_unique update_task cancel retry explain is_pruned task_graph
save_checkpoint complete_attempt
set_queue patch_queue pause resume drain scale
set_limit patch_limit delete_limit
create_batch add_to_batch close_batch cancel_batch retry_batch
set_schedule patch_schedule delete_schedule pause_schedule resume_schedule trigger_schedule
backfill_schedule
redrive delete_dead_letter set_dead_letter_policy reset_dead_letter_policy
start_operation preview_operation cancel_operation
create_webhook patch_webhook delete_webhook test_webhook rotate_webhook_secret webhook_secrets
redeliver
check doctor clock ensure_partitions
"""
VIEWS = """
tasks attempts events checkpoints dependencies queues queue_health limits limit_usage batches
schedules schedule_slots dead_letters dead_letter_policies operations webhooks webhook_deliveries
uploads workers maintenance notices days audit
"""
PRIVATE = """
task task_input attempt task_event artifact checkpoint dependency task_type
ready delayed running expiry blocker follow_later ready_seq lease_seq
queue key_limit key_slowed keyed_queue limit_use guarded_queues
dedup idempotency batch batch_delta schedule schedule_slot
dead_letter dead_letter_policy dead_letter_level operation
webhook webhook_secret webhook_delivery upload upload_chunk
worker worker_id_seq listener duty day notice notice_id_seq
rollup_flush rollup rollup_hour queue_sample sampling unhandled migration code
app_user app_user_id_seq api_key session user_identity oidc_login audit
"""
RELATIONS = """
select relname from pg_class
where relnamespace = %s::regnamespace and relkind not in ('i', 'I') and not relispartition
"""
ROUTINES = "select distinct proname from pg_proc where pronamespace = %s::regnamespace"
UNSAID = """
select 'function ' || p.oid::regprocedure
from pg_proc as p
where p.pronamespace = 'pgqueue'::regnamespace and obj_description(p.oid, 'pg_proc') is null
union all
select 'view ' || c.oid::regclass
from pg_class as c
where c.relnamespace = 'pgqueue'::regnamespace and obj_description(c.oid, 'pg_class') is null
union all
select 'column ' || a.attrelid::regclass || '.' || a.attname
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = 'pgqueue'::regnamespace and col_description(c.oid, a.attnum) is null
"""


def test_the_contract_is_these_views_and_functions(queue: Queue) -> None:
    assert set(queue.values(RELATIONS, "pgqueue")) == set(VIEWS.split())
    assert set(queue.values(ROUTINES, "pgqueue")) == set(FUNCTIONS.split())


def test_all_else_is_private(queue: Queue) -> None:
    assert set(queue.values(RELATIONS, "pgqueue_private")) == set(PRIVATE.split())
    files = {file.stem for file in (SQL / "functions").rglob("*.sql")}
    assert set(queue.values(ROUTINES, "pgqueue_private")) == files - set(FUNCTIONS.split())


def test_no_table_and_no_type_of_its_own_is_in_the_contract(queue: Queue) -> None:
    kinds = """select distinct relkind::text from pg_class
               where relnamespace = 'pgqueue'::regnamespace"""
    assert queue.values(kinds) == ["v"]
    types = """select typname from pg_type where typnamespace = 'pgqueue'::regnamespace
               and typtype <> 'c' and typcategory <> 'A'"""
    assert queue.values(types) == []


def test_every_view_column_and_function_of_the_contract_says_what_it_is(queue: Queue) -> None:
    assert queue.values(UNSAID) == []


def test_functions_lie_in_folders_of_one_subject() -> None:
    folders = [folder for folder in (SQL / "functions").iterdir() if folder.is_dir()]
    assert {file.parent for file in (SQL / "functions").rglob("*.sql")} == set(folders)
    assert max(len(list(folder.iterdir())) for folder in folders) <= 35


def test_functions_find_what_they_use_whatever_the_session_searches(queue: Queue) -> None:
    """Those that set a path hold both schemas in it, and nothing that others can write to."""
    paths = """select distinct setting from pg_proc cross join unnest(proconfig) as setting
               where pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
                   and setting like 'search_path=%%'"""
    assert queue.values(paths) == ["search_path=pgqueue_private, pgqueue, pg_catalog, pg_temp"]
