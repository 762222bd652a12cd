"""An API that says "stored" before it is, for the ledger to find: it commits after its answers.

``python -m tests.chaos.hasty api``.
"""

import asyncio
from typing import Any

from pgqueue_api.submit.group_commit import Submitter

from pgqueue.commands.cli import main

_LATE_S = 1.0


def be_hasty() -> None:
    store = Submitter._store

    async def store_and_answer(self: Submitter, user_id: int, elements: list[bytes]) -> Any:
        if (late := getattr(self, "late", None)) is not None:
            await late
        await self._link.rows("begin")
        stored = await store(self, user_id, elements)
        self.late = asyncio.create_task(_commit(self))
        return stored

    Submitter._store = store_and_answer


async def _commit(submitter: Submitter) -> None:
    await asyncio.sleep(_LATE_S)
    await submitter._link.rows("commit")


if __name__ == "__main__":
    be_hasty()
    main()
