"""Running the blocks of a page that await at their top level."""

import ast


async def run(code: str, page: str, **names: object) -> dict[str, object]:
    """Run a block of Python; gives the names that it made."""
    compiled = compile(code, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    pending = eval(compiled, names)
    if pending is not None:
        await pending
    return names
