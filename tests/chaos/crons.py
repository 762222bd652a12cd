"""Cron expressions: right ones, nearly right ones, and hostile ones, the same for the same seed."""

import random

__all__ = ["expressions"]

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_ODD = [
    *(
        "*/0",
        "R",
        "H",
        "r/5",
        "H(0-10)",
        "?",
        "L",
        "W",
        "15W",
        "LW",
        "5#6",
        "5#0",
        "l9",
        "-1",
        "1-",
    ),
    *("*/", "/", "*/*", ",", ",,", "1,,2", "0-59/99999999", "99999999999999999999", "1e9", "1-"),
    *(
        "\0",
        "1\0",
        "\u0663",
        "\uff11",
        "\xb2",
        "é",
        "\u2212\uff11",
        "\U0001f600",
        "\ud800",
        "*\n",
        "\t",
    ),
    *("%s", "{}", "';drop", "$(id)", "@daily", "@reboot", "* *", "", " ", "nan", "inf", "true"),
]
HOSTILE = [
    *("0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 feb *", "0 0 31 4 *"),  # never
    *("0 0 29 2 *", "0 0 29 2 0#5", "0 0 29 2 l0", "59 23 29 2 *"),  # every four years, or seldom
    *("0 0 29 2 0", "0 0 29 feb mon", "0 0 29 2 mon,tue", "0 0 l 2 *", "0 0 29 2 */7"),
    *("1-59/1,1-59/2,1-59/3,1-59/5,1-59/7 * * * *", "0-59/1,0-59/1 0-23/1 1-31/1 1-12/1 0-7/1"),
    *("*" * 101, "* * * * *" + " " * 92, "1," * 48 + "1 * * * *", "1," * 50 + "1 * * * *"),
    *("*/59 */23 */31 */12 */7", "59 23 31 12 7", "0 0 1 1 *", "* * * * * *", "* * * *", "\0" * 9),
]


def _value(draw: random.Random, place: int) -> str:
    low, high = _BOUNDS[place]
    names = {3: _MONTHS, 4: _DAYS}.get(place)
    if names and draw.random() < 0.2:
        return draw.choice(names)
    return str(draw.randint(low, high) if draw.random() < 0.95 else draw.randint(-9, 10**9))


def _part(draw: random.Random, place: int) -> str:
    kind = draw.random()
    if kind < 0.25:
        return "*"
    if kind < 0.55:
        return _value(draw, place)
    if kind < 0.75:
        return f"{_value(draw, place)}-{_value(draw, place)}"
    start = draw.choice(["*", _value(draw, place), f"{_BOUNDS[place][0]}-{_BOUNDS[place][1]}"])
    return f"{start}/{draw.choice([1, 1, 2, 3, 5, 7, 13, 15, 31, 59, 60, 0, 10**6])}"


def _field(draw: random.Random, place: int) -> str:
    if draw.random() < 0.03:
        return draw.choice(_ODD)
    return ",".join(_part(draw, place) for _ in range(draw.choice([1, 1, 1, 1, 2, 3, 8])))


def _mangled(draw: random.Random, text: str) -> str:
    place = draw.randrange(len(text) + 1)
    more = draw.choice([*_ODD, *"0123456789*/,-#lLwW ?RH"])
    return text[:place] + more + text[place + draw.randrange(3) :]


def expressions(n: int, seed: int) -> list[str]:
    """Return this many, all the hostile ones among them."""
    draw = random.Random(seed)
    found = list(HOSTILE)
    while len(found) < n:
        text = " ".join(_field(draw, place) for place in range(5))
        found.append(_mangled(draw, text) if draw.random() < 0.3 else text)
    return found
