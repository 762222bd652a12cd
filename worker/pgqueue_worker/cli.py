"""``pgqueue worker``."""

from __future__ import annotations

import asyncio
import signal

import click

from pgqueue import logs, telemetry
from pgqueue.commands.process_count import METAVAR, Processes, parse
from pgqueue.settings import Settings
from pgqueue_worker.outbound import Allowed
from pgqueue_worker.supervisor import metrics as metrics_module
from pgqueue_worker.supervisor.metrics import Metrics
from pgqueue_worker.supervisor.plan import Plan
from pgqueue_worker.supervisor.supervisor import Supervisor

_METRICS_PORT = 9100


@click.command("worker")
@click.option("--app", help="the app whose types to run, as module:name")
@click.option("--builtin", is_flag=True, help="run the built-in types, too")
@click.option("--queues", default="", help="serve only these queues, separated by commas")
@click.option(
    "--processes",
    type=parse,
    metavar=METAVAR,
    default="1",
    show_default=True,
    help="worker processes: a number, such as 4, or a range, such as 1..8, to fit the load",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    default=10,
    show_default=True,
    help="how many tasks each process runs at the same time",
)
@click.option("--burst", is_flag=True, help="exit with status 0 when the queues are empty")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    default=None,
    help=f"serve Prometheus metrics on this port; 0: do not serve them  [default: {_METRICS_PORT}]",
)
def command(
    *,
    app: str | None,
    builtin: bool,
    queues: str,
    processes: Processes,
    concurrency: int,
    burst: bool,
    metrics_port: int | None,
) -> None:
    """Run tasks. SIGTERM or Ctrl-C drains; a second one stops at once."""
    settings = Settings()
    Allowed.parse(settings.outbound_allow_hosts)  # fail now, not when a webhook is due
    logs.configure(settings.log_format, settings.log_level)
    telemetry.configure("pgqueue-supervisor")
    plan = Plan(
        dsn=settings.dsn(),
        app=app,
        builtin=builtin,
        queues=tuple(name.strip() for name in queues.split(",") if name.strip()),
        processes=processes,
        concurrency=concurrency,
        burst=burst,
    )
    metrics = Metrics()
    port = _METRICS_PORT if metrics_port is None else metrics_port
    if port:
        metrics_module.serve(metrics, port, explicit=metrics_port is not None)
    raise SystemExit(asyncio.run(_run(plan, settings, metrics)))


async def _run(plan: Plan, settings: Settings, metrics: Metrics) -> int:
    supervisor = Supervisor(plan, settings, metrics)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    return await supervisor.run()
