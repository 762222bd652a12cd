"""Write to two people: `python examples/email_campaign.py`, then open outbox.mbox.

With PGQUEUE_SMTP_HOST in the worker's environment the messages are sent instead of stored.
"""

from __future__ import annotations

from pathlib import Path

from client import download, follow, result, submit

task = submit(
    "email_campaign",
    {
        "from": "news@shop.example",
        "from_name": "The Shop",
        "subject": "Your order {{ order }}",
        "text": "Hello {{ name }},\n\nyour order {{ order }} is on its way.\n",
        "recipients": [
            {"email": "ada@example.com", "name": "Ada", "data": {"order": 7}},
            {"email": "ben@example.com", "name": "Ben", "data": {"order": 8}},
        ],
    },
)
for event, state in follow(task["id"]):
    if event == "progress":
        print(f"{state['progress']['percent']:3.0f} % {state['progress']['message']}")
    elif event == "end":
        campaign = result(state)
        for one in campaign["recipients"]:
            print(f"{one['email']}: {one['status']} {one['detail']}")
        if campaign["artifact"]:
            Path(campaign["artifact"]).write_bytes(download(task["id"], campaign["artifact"]))
            print(f"{campaign['artifact']}: open it with a mail program")
