"""Upload a CSV file and aggregate it: `python examples/data_aggregation.py [file.csv]`."""

from __future__ import annotations

import sys
from pathlib import Path

from client import follow, result, submit, upload

SALES = b"region,amount\nnorth,120.50\nsouth,80.25\nnorth,99.50\nsouth,20.00\n"

data = Path(sys.argv[1]).read_bytes() if sys.argv[1:] else SALES
file = upload("sales.csv", "text/csv", data)
print(f"uploaded {file['size']} bytes as {file['id']}")
task = submit(
    "data_aggregation",
    {
        "artifact": file["id"],
        "group_by": ["region"],
        "aggregates": [{"function": "sum", "column": "amount"}, {"function": "count"}],
    },
)
for event, state in follow(task["id"]):
    if event == "progress":
        print(f"{state['progress']['percent']:3.0f} % {state['progress']['message']}")
    elif event == "end":
        for row in result(state)["rows"]:
            print(f"{row['region']:8} {row['sum_amount']:10.2f} {row['count']:5}")
