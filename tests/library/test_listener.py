"""A listener believes that it hears when it has heard, and not because it is connected."""

import asyncio

import pytest

from pgqueue.database.link import Link
from pgqueue.database.listener import Listener
from pgqueue.database.options import Options
from tests.chaos.proxy import proxied

PATIENCE_S = 45


@pytest.mark.unpooled("the session that listens goes past poolers, here by way of a proxy")
@pytest.mark.timeout(120)
async def test_a_listener_that_hears_nothing_says_so_until_it_hears(database: str) -> None:
    changes: asyncio.Queue[bool] = asyncio.Queue()
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    connected: list[None] = []
    other = Link(database, Options("test"))
    with proxied(database) as proxy:
        proxy.drop_notifications()
        listener = Listener(
            proxy.dsn,
            "me",
            application_name="test listen",
            listen="listen_doorbell",
            echo=lambda payload: other.rows("echo", {"payload": payload}),
            hear=lambda channel, payload: heard.put_nowait((channel, payload)),
            on_connect=lambda: connected.append(None),
            on_change=changes.put_nowait,
        )
        listening = asyncio.create_task(listener.run())
        try:
            assert await asyncio.wait_for(changes.get(), PATIENCE_S) is False
            assert "PGQUEUE_LISTEN_URL" in listener.deaf
            proxy.heal()
            while not await asyncio.wait_for(changes.get(), PATIENCE_S):
                pass
            assert listener.deaf is None
            assert len(connected) > 1, "it looked at everything again when it connected again"
            await other.rows("echo", {"payload": "for all"})
            assert await asyncio.wait_for(heard.get(), PATIENCE_S) == ("pgqueue_control", "for all")
            assert proxy.reset("test listen") == 1
            assert await asyncio.wait_for(changes.get(), PATIENCE_S) is False
            assert await asyncio.wait_for(changes.get(), PATIENCE_S) is True
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    await other.close()
