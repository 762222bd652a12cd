"""Wrong clocks on workers and API: only the database's clock decides anything."""

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from pgqueue_worker.webhooks.signing import signed

from tests.api.sse import events
from tests.chaos.clocks import Clock, wrong_clock
from tests.chaos.service import Service
from tests.figures import Figure
from tests.worker.conftest import Bench, eventually

ROW = "wrong clocks on workers"
OFFSETS = ("-10y", "+10y", "-1h", "+1h")
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
SHORT = {"PGQUEUE_LEASE_S": "4", "PGQUEUE_HEARTBEAT_S": "1", "PGQUEUE_HOOK_SHOP_SECRET": SECRET}

pytestmark = [pytest.mark.faketime, pytest.mark.timeout(300)]


class Host:
    """A host whose clock is wrong, with workers and an API; another, whose clock is right."""

    def __init__(self, bench: Bench, clock: Clock, api: Service) -> None:
        self.bench = bench
        self.clock = clock
        self.api = api
        self.http = api.http

    def submit(self, type: str, **fields: object) -> str:
        answer = self.api.submit(type, **fields)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def late_s(self, id: str, due_at: datetime) -> float:
        """Wait for a task to end, and give how much later than due it was started."""
        assert self.bench.ended(id)["status"] == "completed"
        return (self.bench.attempts(id)[-1]["started_at"] - due_at).total_seconds()


@pytest.fixture
def host(bench: Bench, tmp_path: Path) -> Iterator[Host]:
    with wrong_clock(tmp_path / "wrong", OFFSETS[0]) as clock:
        wrong = {**clock.environment, **SHORT}
        bench.start("--builtin", "--queues", "wrong,default,webhook_processing", **wrong)
        bench.start("--queues", "right", **SHORT)
        with Service(bench.dsn, tmp_path / "api.log", **wrong) as api:
            eventually(api.is_ready, "it is ready", 100)
            yield Host(bench, clock, api)
        bench.close()  # what its processes leave is removed


async def test_clocks_that_are_wrong_start_nothing_early_and_rescue_nothing(
    host: Host, figure: Figure
) -> None:
    bench = host.bench
    held = [bench.enqueue("gate", {"name": queue}, queue=queue) for queue in ("wrong", "right")]
    for queue in ("wrong", "right"):
        bench.passed(f"{queue}-in-1")
    began = time.monotonic()
    far = []
    for offset in OFFSETS:
        go_wrong(host, offset)
        far.append(host.submit("echo", delay_s=1_800))
        late = {
            "delayed": delayed(host),
            "retried": retried(host),
            "scheduled": scheduled(host, offset),
        }
        assert min(late.values()) >= 0, "nothing starts early"
        assert max(late.values()) < 30, "nothing waits for a clock to come round"
        hooked(host)
        await streamed(host)
        figure(
            ROW,
            f"{offset}: "
            + ", ".join(
                f"{what} task started {s:.2f} s after its time" for what, s in late.items()
            ),
            "no early start",
        )
    eventually(lambda: time.monotonic() - began > 3 * 4, "three leases pass")
    assert {bench.task(id)["status"] for id in far} == {"scheduled"}
    for queue in ("wrong", "right"):
        bench.open(f"{queue}-out")
    for id in held:
        assert bench.ended(id)["status"] == "completed"
        assert [a["outcome"] for a in bench.attempts(id)] == ["completed"], "no false rescue"
    assert bench.value("select count(*) from pgqueue.attempts where outcome = 'crashed'") == 0
    assert "worker_lost" not in bench.logs()
    assert "Traceback" not in bench.logs()
    lasted = time.monotonic() - began
    figure(
        ROW, f"tasks held on both hosts for {lasted / 4:.0f} leases: 0 rescues", "no false rescue"
    )


def go_wrong(host: Host, offset: str) -> None:
    """Set the clock, and see that the API goes by it: its server dates every answer."""

    def went() -> bool:
        said = host.http.get("/healthz").headers["date"]
        off = parsedate_to_datetime(said) - datetime.now(UTC)
        return abs(off) > timedelta(minutes=50) and (off > timedelta()) == (offset[0] == "+")

    host.clock.set(offset)
    eventually(went, f"its clock is off by {offset}")


def delayed(host: Host) -> float:
    id = host.submit("echo", delay_s=0.5)
    return host.late_s(id, host.bench.task(id)["run_at"])


def retried(host: Host) -> float:
    """A handler asks to be run again in a second."""
    id = host.submit("slowed", payload={"slow": None})
    host.bench.ended(id)
    first, _ = host.bench.attempts(id)
    return host.late_s(id, first["finished_at"] + timedelta(seconds=1))


def scheduled(host: Host, offset: str) -> float:
    """A schedule for one time fires then, and one for every minute is due within the next."""
    now = host.bench.value("select pgqueue.clock()")
    due = now + timedelta(seconds=1)
    name = f"s{offset.strip('+-')}{'early' if offset[0] == '-' else 'late'}"
    once = {"name": name, "type": "echo", "run_at": due.isoformat()}
    assert host.http.post("/v1/schedules", json=once).status_code == 201
    minutely = {"name": f"{name}-cron", "type": "echo", "cron": "* * * * *"}
    made = host.http.post("/v1/schedules", json=minutely).json()
    assert now < datetime.fromisoformat(made["next_due_at"]) <= now + timedelta(seconds=90)
    slot = "select task_id::text from pgqueue.schedule_slots where schedule = %s"
    (row,) = eventually(lambda: host.bench.rows(slot, name), "it fires")
    return host.late_s(row["task_id"], due)


def hooked(host: Host) -> None:
    """A webhook that was signed just now is fresh, whatever the clock of who takes it says."""
    at = int(time.time())
    answer = host.http.post(
        "/v1/hooks/shop", content=b"{}", headers=signed("msg_1", at, b"{}", [SECRET])
    )
    assert answer.status_code == 202, answer.text
    ended = host.bench.ended(answer.json()["id"])
    assert ended["status"] == "completed", ended["error"]


async def streamed(host: Host) -> None:
    """A stream tells all there is."""
    task = host.bench.enqueue("report")
    async with (
        httpx.AsyncClient(base_url=host.api.url, timeout=60) as client,
        events(client, f"/v1/tasks/{task}/events") as stream,
    ):
        host.bench.open("report-out")
        events_seen = await stream.until("end")
    assert [event.data["message"] for event in events_seen if event.name == "log"] == [
        f"step {n}" for n in (1, 2, 3)
    ]
