-- When tasks expire that have not started by then. A row goes when its time has come, whatever became of its task.
create table expiry (
    expires_at timestamptz not null,
    task_id uuid not null,
    primary key (expires_at, task_id)
);

alter table expiry set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
