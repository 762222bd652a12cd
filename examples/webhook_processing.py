"""Send pgqueue a signed webhook as another service would, and follow its task.

The worker knows the secret of this source, `demo`, if `make run` started it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from typing import Any

from client import URL, follow, result

# the secret that `make run` sets for its worker; it is public, so it protects nothing
SECRET = os.environ.get("PGQUEUE_HOOK_DEMO_SECRET", "whsec_ZGVtbyBzZWNyZXQgb2YgcGdxdWV1ZQ==")


def signed(event: dict[str, object], secret: str, id: str = "msg_1") -> dict[str, Any]:
    """Sign an event after Standard Webhooks; return its headers and its body."""
    body = json.dumps(event)
    at = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{at}.{body}".encode(), hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    return {"headers": headers, "body": body}


def send(event: dict[str, object]) -> str:
    """Send a signed event, and return the id of its task."""
    hook = signed(event, SECRET)
    request = urllib.request.Request(  # noqa: S310
        f"{URL}/v1/hooks/demo", hook["body"].encode(), hook["headers"]
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        task_id: str = json.load(answer)["id"]
    return task_id


if __name__ == "__main__":
    for name, state in follow(send({"type": "order.paid", "data": {"order": 7}})):
        if name == "end":
            taken = result(state)
            print(f"signed by {taken['source']}, verified by the scheme {taken['verified_by']}")
