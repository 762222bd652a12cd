"""Draw a picture and make a thumbnail of it: `python examples/image_gen.py [prompt]`."""

from __future__ import annotations

import sys
from pathlib import Path

from client import download, follow, result, submit

prompt = " ".join(sys.argv[1:]) or "A lighthouse at night"
task = submit(
    "image_gen",
    {
        "prompt": prompt,
        "width": 512,
        "height": 512,
        "operations": [{"op": "watermark", "text": "pgqueue"}],
    },
)
small = {}
for event, data in follow(task["id"]):
    if event == "progress":
        print(f"{data['progress']['percent']:3.0f} % {data['progress']['message']}")
    elif event == "end":
        drawn = result(data)
        source = {"task_id": task["id"], "name": drawn["artifact"]}
        small = submit(
            "image_gen", {"source": source, "operations": [{"op": "thumbnail", "size": 64}]}
        )
        Path("image.png").write_bytes(download(task["id"], drawn["artifact"]))
        print(f"image.png: {drawn['width']} × {drawn['height']}, {drawn['provider']}")
for event, data in follow(small["id"]):
    if event == "end":
        Path("small.png").write_bytes(download(small["id"], result(data)["artifact"]))
        print("small.png: its thumbnail")
