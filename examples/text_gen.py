"""Write a text, word by word: `python examples/text_gen.py [prompt]`."""

from __future__ import annotations

import sys

from client import follow, result, submit

prompt = " ".join(sys.argv[1:]) or "The sea"
task = submit("text_gen", {"prompt": prompt, "max_tokens": 60})
for event, data in follow(task["id"]):
    if event == "text":
        print(data["text"], end="", flush=True)
    elif event == "end":
        written = result(data)
        tokens = written["usage"]["completion_tokens"]
        print(f"\n-- {written['provider']} ({written['model']}), {tokens} tokens")
