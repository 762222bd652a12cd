"""What email_campaign sends to a real SMTP server, and what it does not."""

import asyncio
import json
import mailbox
import os
import signal
import socket
import threading

import psutil
import pytest
from pgqueue_tasks import email_campaign as module
from pgqueue_tasks._email.server import said_of
from pgqueue_tasks.email_campaign import CampaignPayload, email_campaign
from pgqueue_tasks.errors import EngineFailed, InputRefused

from tests.tasks.mail import PASSWORD, MailServer
from tests.tasks.recording import RecordingContext
from tests.worker.conftest import Bench

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
ADA, BEN, CAT = "ada@example.com", "ben@example.com", "cat@example.com"


@pytest.fixture
def serve(tmp_path, monkeypatch):
    servers = []

    def serve(tls="none", *, auth=False):
        server = MailServer(tmp_path, tls, auth=auth)
        servers.append(server)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        return server

    yield serve
    for server in servers:
        server.close()


def campaign(*recipients, **more):
    people = [
        one if isinstance(one, dict) else {"email": one, "data": {"order": n}}
        for n, one in enumerate(recipients or [ADA, BEN])
    ]
    payload = {"subject": "Order {{ order }}", "text": "Hello {{ email }}.\n", "recipients": people}
    return CampaignPayload.model_validate(payload | more)


def statuses(result):
    return [one.status for one in result.recipients]


@pytest.mark.parametrize(("tls", "auth"), [("none", False), ("starttls", True), ("tls", True)])
async def test_each_recipient_gets_a_message_of_their_own(serve, tls, auth):
    server = serve(tls, auth=auth)
    result = await email_campaign(
        RecordingContext(),
        campaign(
            {"email": ADA, "name": "Ada Löve", "data": {"order": 7}},
            {"email": BEN, "data": {"order": 8}},
            html="<p>{{ name }} <b>{{ order }}</b></p>",
            from_name="The Shop",
            reply_to="help@shop.example",
        ),
    )
    assert (result.delivery, result.counts) == ("smtp", {"sent": 2})
    assert server.inbox.addresses == [ADA, BEN]
    _, first = server.inbox.received[0]
    assert (first["Subject"], first["To"]) == ("Order 7", "Ada Löve <ada@example.com>")
    assert (first["From"], first["Reply-To"]) == (
        "The Shop <news@shop.example>",
        "help@shop.example",
    )
    assert first["Message-ID"].endswith(".0@shop.example>")
    assert first.get_body(("plain",)).get_content().split() == ["Hello", f"{ADA}."]
    assert "<p>Ada Löve <b>7</b></p>" in first.get_body(("html",)).get_content()


async def test_an_encoded_word_in_data_adds_no_field(serve):
    inbox = serve().inbox
    word = "=?utf-8?q?a=0D=0ABcc:_eve=40example.com?="
    evil = {"email": ADA, "name": word, "data": {"order": word}}
    assert statuses(await email_campaign(RecordingContext(), campaign(evil))) == ["sent"]
    _, message = inbox.received[0]
    assert message["Bcc"] is None
    assert message.get_content().strip() == f"Hello {ADA}."


async def test_variables_are_escaped_in_html_only(serve):
    server = serve()
    await email_campaign(
        RecordingContext(),
        campaign(
            {"email": ADA, "data": {"order": "<script>&"}}, text="{{ order }}", html="{{ order }}"
        ),
    )
    message = server.inbox.received[0][1]
    assert message.get_body(("plain",)).get_content().strip() == "<script>&"
    assert message.get_body(("html",)).get_content().strip() == "&lt;script&gt;&amp;"


async def test_who_is_refused_is_told_and_the_others_get_theirs(serve):
    inbox = serve().inbox
    inbox.rcpt[ADA] = "550 no such user"
    inbox.data[CAT] = "554 spam"
    result = await email_campaign(RecordingContext(), campaign(ADA, BEN, CAT))
    assert statuses(result) == ["refused", "sent", "refused"]
    assert result.recipients[0].detail == "550 no such user"
    assert inbox.addresses == [BEN]


@pytest.mark.parametrize("address", ["a..b@x.y", ".a@x.y", "a@x..y", "nobody", "a@x.y\r\nDATA"])
async def test_who_has_no_address_is_refused_alone(serve, address):
    inbox = serve().inbox
    result = await email_campaign(RecordingContext(), campaign(ADA, address, CAT))
    assert statuses(result) == ["sent", "refused", "sent"]
    assert "is not an address" in result.recipients[1].detail
    assert inbox.addresses == [ADA, CAT]


@pytest.mark.parametrize("address", ["😀" * 40, '"' * 200, "\x00" * 90])
async def test_the_outcomes_of_many_fit_a_checkpoint(serve, address):
    serve()
    ctx = RecordingContext()
    result = await email_campaign(ctx, campaign(*[address] * 999, ADA))
    assert result.counts == {"refused": 999, "sent": 1}
    assert len(json.dumps(ctx.again().last_checkpoint)) < 200 * 1024


@pytest.mark.parametrize("text", ["é" * 500, "😀" * 500, "a" * 500, "a" + "é" * 500])
def test_what_a_server_says_is_cut_by_bytes(text):
    said = said_of(RuntimeError(text))
    assert text.startswith(said)
    assert 117 <= len(said.encode()) <= 120


async def test_without_a_server_who_has_no_address_is_refused_alone():
    ctx = RecordingContext()
    result = await email_campaign(ctx, campaign(ADA, "a..b@x.y", CAT))
    assert statuses(result) == ["kept", "refused", "kept"]
    assert b"a..b@x.y" not in ctx.artifacts["outbox.mbox"][0]


async def test_a_worker_whose_own_address_is_none_says_so_and_sends_nothing(serve, monkeypatch):
    inbox = serve().inbox
    monkeypatch.setenv("PGQUEUE_SMTP_FROM", "The Shop <news@shop.example>")
    with pytest.raises(EngineFailed, match="PGQUEUE_SMTP_FROM is 'The Shop <news@shop"):
        await email_campaign(RecordingContext(), campaign())
    assert inbox.seen == []


async def test_who_is_deferred_gets_theirs_with_the_next_attempt_and_nobody_twice(serve):
    inbox = serve().inbox
    inbox.rcpt[ADA], inbox.data[CAT] = "451 later", "450 greylisted"
    ctx = RecordingContext()
    with pytest.raises(EngineFailed, match="2 of 3 messages were deferred; the first: 451 later"):
        await email_campaign(ctx, campaign(ADA, BEN, CAT))
    inbox.rcpt.clear()
    inbox.data.clear()
    result = await email_campaign(ctx.again(), campaign(ADA, BEN, CAT))
    assert statuses(result) == ["sent", "sent", "sent"]
    assert inbox.addresses == [BEN, ADA, CAT]


async def test_a_server_that_stalls_is_a_failed_attempt_and_the_rest_follows(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("PGQUEUE_SMTP_TIMEOUT_S", "0.3")
    server.inbox.stall[BEN] = threading.Event()
    ctx = RecordingContext()
    with pytest.raises(EngineFailed, match=r"the mail server failed: .*[Tt]imed out"):
        await email_campaign(ctx, campaign(ADA, BEN, CAT))
    server.inbox.stall.pop(BEN).set()
    assert statuses(await email_campaign(ctx.again(), campaign(ADA, BEN, CAT))) == ["sent"] * 3
    assert server.inbox.addresses == [ADA, BEN, CAT]


async def test_a_message_without_an_answer_is_unknown_and_not_sent_again(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("PGQUEUE_SMTP_TIMEOUT_S", "0.3")
    server.inbox.stall_data[ADA] = threading.Event()
    ctx = RecordingContext()
    with pytest.raises(EngineFailed, match="the mail server failed"):
        await email_campaign(ctx, campaign(ADA, BEN))
    server.inbox.stall_data.pop(ADA).set()
    assert statuses(await email_campaign(ctx.again(), campaign(ADA, BEN))) == ["unknown", "sent"]
    assert server.inbox.addresses.count(BEN) == 1


async def test_a_connection_with_tls_is_closed_when_the_work_is_done(serve):
    port = serve("tls").port
    await email_campaign(RecordingContext(), campaign())
    await asyncio.sleep(0)  # a turn of the loop, and no waiting for the other side's goodbye
    open_ones = psutil.Process().net_connections("tcp")
    assert [one for one in open_ones if one.raddr and one.raddr.port == port] == []


async def test_a_server_that_does_not_greet_is_a_failed_attempt(serve, monkeypatch):
    serve()
    monkeypatch.setenv("PGQUEUE_SMTP_TIMEOUT_S", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PGQUEUE_SMTP_PORT", str(silent.getsockname()[1]))
        with pytest.raises(EngineFailed, match="cannot be used"):
            await email_campaign(RecordingContext(), campaign())
    with pytest.raises(EngineFailed, match="cannot be used"):
        await email_campaign(RecordingContext(), campaign())


async def test_a_certificate_that_nobody_vouches_for_and_a_wrong_password_stop_it(
    serve, monkeypatch
):
    server = serve("starttls", auth=True)
    monkeypatch.setenv("PGQUEUE_SMTP_PASSWORD", "wrong-password-1")
    with pytest.raises(EngineFailed, match="cannot be used") as refused:
        await email_campaign(RecordingContext(), campaign())
    assert "wrong-password-1" not in str(refused.value)
    monkeypatch.setenv("PGQUEUE_SMTP_PASSWORD", PASSWORD.decode())
    monkeypatch.delenv("PGQUEUE_SMTP_CA_FILE")
    with pytest.raises(EngineFailed, match=r"(?i)certificate"):
        await email_campaign(RecordingContext(), campaign())
    assert server.inbox.seen == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"text": "{{ missing }}"}, "text, recipient 1: UndefinedError: 'missing' is undefined"),
        ({"text": "{% if %}"}, "text: "),
        ({"subject": "{{ evil }}"}, "subject, recipient 1: must be one line"),
        ({"text": "{{ ''.__class__.__mro__ }}"}, "SecurityError"),
        ({"text": "{{ self._TemplateReference__context }}"}, "recipient 1: "),
        ({"text": "{% include '/etc/passwd' %}"}, "recipient 1: "),
        ({"text": "{{ 'x' * 1000000 }}"}, "more than 512 KiB"),
        ({"text": "{% for a in range(10**9) %}x{% endfor %}"}, "recipient 1: "),
        ({"text": "{{ 'x' * 10**10 }}"}, "memory"),
    ],
)
async def test_a_hostile_template_is_refused_before_anything_is_sent(serve, more, said):
    inbox = serve().inbox
    evil = {"email": ADA, "data": {"evil": "x\r\nBcc: eve@example.com", "order": 1}}
    with pytest.raises(InputRefused, match=r"^\w") as refused:
        await email_campaign(RecordingContext(), campaign(evil, **more))
    assert said in str(refused.value)
    assert inbox.seen == []


async def test_a_template_without_an_end_is_refused_before_anything_is_sent(serve, monkeypatch):
    inbox = serve().inbox
    monkeypatch.setattr(module, "_CPU_SECONDS", 1)
    with pytest.raises(InputRefused, match="processor time"):
        await email_campaign(RecordingContext(), campaign(text=LOOPS))
    assert inbox.seen == []


async def test_without_a_server_the_messages_are_kept(tmp_path):
    ctx = RecordingContext()
    payload = campaign(text="From here on\nFrom there\n")
    result = await email_campaign(ctx, payload)
    assert (result.delivery, result.artifact) == ("outbox", "outbox.mbox")
    assert statuses(result) == ["kept", "kept"]
    data, content_type = ctx.artifacts["outbox.mbox"]
    assert content_type == "application/mbox"
    (tmp_path / "outbox.mbox").write_bytes(data)
    box = mailbox.mbox(tmp_path / "outbox.mbox")
    kept = list(box)
    box.close()
    assert [message["To"] for message in kept] == [ADA, BEN]
    assert "From here on" in kept[0].get_payload()


async def test_what_is_told_of_many_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MAX_OUTCOME_BYTES", 200)
    result = await email_campaign(RecordingContext(), campaign(*[ADA] * 9))
    assert (result.truncated, result.counts) == (True, {"kept": 9})
    assert 0 < len(result.recipients) < 9


@pytest.fixture
def bench(database, tmp_path):
    bench = Bench(database, tmp_path)
    yield bench
    bench.close()


def test_a_worker_killed_between_two_recipients_sends_to_nobody_twice(serve, bench):
    server = serve()
    people = [f"p{n}@example.com" for n in range(5)]
    server.inbox.stall[people[2]] = threading.Event()
    bench.start("--builtin", **server.environment())
    payload = campaign(*people).model_dump(by_alias=True, exclude_unset=True)
    task = bench.enqueue("email_campaign", payload)
    server.inbox.wait_for(f"RCPT {people[2]}")
    (worker,) = bench.processes()
    os.kill(worker, signal.SIGKILL)
    server.inbox.stall.pop(people[2]).set()
    ended = bench.ended(task)
    assert ended["status"] == "completed", ended["error"]
    assert ended["result"]["counts"] == {"sent": 5}
    assert server.inbox.addresses == people
    assert [attempt["outcome"] for attempt in bench.attempts(task)] == ["crashed", "completed"]


def test_a_worker_killed_while_it_hands_over_a_message_does_not_send_it_again(serve, bench):
    server = serve()
    server.inbox.stall_data[BEN] = threading.Event()
    bench.start("--builtin", **server.environment())
    payload = campaign(ADA, BEN, CAT).model_dump(by_alias=True, exclude_unset=True)
    task = bench.enqueue("email_campaign", payload)
    server.inbox.wait_for(f"DATA {BEN}")
    (worker,) = bench.processes()
    os.kill(worker, signal.SIGKILL)
    server.inbox.stall_data.pop(BEN).set()
    ended = bench.ended(task)
    statuses = [one["status"] for one in ended["result"]["recipients"]]
    assert statuses == ["sent", "unknown", "sent"]
    assert sorted(server.inbox.addresses) in ([ADA, CAT], [ADA, BEN, CAT])
