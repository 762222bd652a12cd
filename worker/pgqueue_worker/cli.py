"""``pgqueue worker``."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import click

from pgqueue import logs, telemetry
from pgqueue.commands.process_count import METAVAR, Processes, parse
from pgqueue.processes import stop_signals
from pgqueue.settings import Settings
from pgqueue_worker.apps import load
from pgqueue_worker.outbound import Allowed
from pgqueue_worker.supervisor.metrics import Metrics
from pgqueue_worker.supervisor.metrics_server import MetricsServer
from pgqueue_worker.supervisor.plan import Plan
from pgqueue_worker.supervisor.supervisor import Supervisor


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
@click.option("--check", is_flag=True, help="only see whether the app can be loaded, and exit")
@click.option("--burst", is_flag=True, help="exit with status 0 when the queues are empty")
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65_535),
    help="serve Prometheus metrics and health checks on this port  [default: they are not served]",
)
@click.option(
    "--metrics-host",
    default="127.0.0.1",
    show_default=True,
    help="address of the metrics; 0.0.0.0: reachable from other machines",
)
def command(
    *,
    app: str | None,
    builtin: bool,
    queues: str,
    processes: Processes,
    concurrency: int,
    check: bool,
    burst: bool,
    metrics_port: int | None,
    metrics_host: str,
) -> None:
    """Run tasks. SIGTERM, SIGHUP or Ctrl-C drains; a second one stops at once."""
    if check:
        load(app, builtin=builtin)
        return
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
    served_at = None if metrics_port is None else (metrics_host, metrics_port)
    raise SystemExit(asyncio.run(_run(plan, settings, served_at)))


async def _run(plan: Plan, settings: Settings, served_at: tuple[str, int] | None) -> int:
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        if served_at is not None:
            await stack.enter_async_context(MetricsServer(metrics).serving(*served_at))
        supervisor = Supervisor(plan, settings, metrics)
        loop = asyncio.get_running_loop()
        for number in stop_signals():
            loop.add_signal_handler(number, supervisor.stop)
        return await supervisor.run()
