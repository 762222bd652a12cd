"""Answer a question from pages or texts: `python examples/research_agent.py [question url…]`."""

from __future__ import annotations

import sys

from client import follow, result, submit

TEXTS = [
    {
        "title": "Tides",
        "text": "The moon pulls the water of the sea toward it. Twice a day the water rises and "
        "falls. The sun pulls too, and when both pull in one line the tide is highest.",
    },
    {
        "title": "Bread",
        "text": "Bread is flour, water, salt and time. The yeast makes the dough rise.",
    },
]

question, *urls = sys.argv[1:] or ["What does the moon do to the sea?"]
where = {"urls": urls} if urls else {"texts": TEXTS}
task = submit("research_agent", {"question": question, "sentences": 2, **where})
for event, data in follow(task["id"]):
    if event == "progress":
        print(f"{data['progress']['percent']:3.0f} % {data['progress']['message']}")
    elif event == "end":
        found = result(data)
        print(found["answer"])
        for source in found["sources"]:
            if source["cited"]:
                print(f"[{source['number']}] {source['title']} {source['url'] or ''}".rstrip())
        for page in found["unread"]:
            print(f"not read: {page['url']}: {page['error']}")
