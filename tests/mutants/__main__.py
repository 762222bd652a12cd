"""`make mutants`: takes each protection out of a copy of the tree, and has the tests notice.

First the tests must pass in a copy that is as it is. Then each mutant is made in a copy of its own,
two at a time, and every test that it names must fail there by an assertion. Exit status 1 unless
all are caught. Arguments name the mutants to try: `make mutants ARGS="'no fence' 'own clock'"`.
"""

import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pgqueue.testing.servers import any_server
from tests.mutants.eight import EIGHT
from tests.mutants.more import MORE
from tests.mutants.mutant import Mutant, Variant, find
from tests.mutants.trees import ROOT, Tree

_AT_ONCE = 2
_ALIVE = "test_a_completed_task_keeps_its_result"
"""What any mutant still does: else it broke the code, and not a protection."""


@dataclass(frozen=True)
class _Trial:
    caught: bool
    said: str
    seconds: float


def _try(variant: Variant, base: Tree, folder: Path, environment: dict[str, str]) -> _Trial:
    began = time.monotonic()
    tree = Tree.copied(base.root, folder)
    tree.change(variant.changes)
    if not tree.loads(variant.changes):
        return _Trial(False, "NOT CAUGHT: it cannot be imported", time.monotonic() - began)
    wanted = [find(ROOT, test) for test in (_ALIVE, *variant.tests)]
    of, output = tree.test(wanted, environment=environment)
    alive, *verdicts = [of.get(test, "broken: not run") for test in wanted]
    seconds = time.monotonic() - began
    if alive != "passed":
        return _Trial(False, f"NOT CAUGHT: it does not run\n{output[-3000:]}", seconds)
    said = [
        f"{'caught' if verdict.startswith('assertion: ') else 'NOT CAUGHT'} by {test}\n  {verdict}"
        for test, verdict in zip(variant.tests, verdicts, strict=True)
    ]
    return _Trial(not any("NOT CAUGHT" in line for line in said), "\n".join(said), seconds)


def _print(mutants: tuple[Mutant, ...], trials: dict[Variant, _Trial]) -> int:
    caught = 0
    for mutant in mutants:
        all_caught = all(trials[variant].caught for variant in mutant.variants)
        caught += all_caught
        print(f"{'caught' if all_caught else 'MISSED'}  {mutant.name}: {mutant.without}")
        for variant in mutant.variants:
            trial = trials[variant]
            print(f"  {trial.seconds:5.1f} s  {variant.where}")
            print(textwrap.indent(trial.said, " " * 11))
    return caught


def _check(variants: list[Variant]) -> list[str]:
    """Return where the tests are; raises ``NoLongerThereError`` where anything has moved on."""
    for variant in variants:
        for change in variant.changes:
            change.check(ROOT)
    return [find(ROOT, test) for variant in variants for test in (_ALIVE, *variant.tests)]


def main(*names: str) -> int:
    """Try the mutants of these names, or all; gives the exit status."""
    eight, more = (
        tuple(mutant for mutant in mutants if not names or mutant.name in names)
        for mutants in (EIGHT, MORE)
    )
    variants = [variant for mutant in (*eight, *more) for variant in mutant.variants]
    tests = sorted(set(_check(variants)))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pgqueue-mutants-") as name, any_server() as server:
        folder = Path(name)
        environment = {"PGQUEUE_TEST_DATABASE_URL": server.admin}
        base = Tree.copied(ROOT, folder / "as it is")
        of, output = base.test(tests, "-n", str(_AT_ONCE), environment=environment)
        broken = {test: said for test in tests if (said := of.get(test, "not run")) != "passed"}
        if broken:
            print(output, *broken.items(), "these fail without any mutant", sep="\n")
            return 1
        print(f"{len(tests)} tests pass as it is, in {time.monotonic() - began:.0f} s", flush=True)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            tried = threads.map(
                lambda n: _try(variants[n], base, folder / f"mutant {n}", environment),
                range(len(variants)),
            )
            trials = dict(zip(variants, tried, strict=True))
    caught = _print(eight, trials)
    print(f"{caught}/{len(eight)} seeded mutants caught\n")
    caught_more = _print(more, trials)
    print(f"{caught_more}/{len(more)} further mutants caught")
    print(f"in {time.monotonic() - began:.0f} s")
    return 0 if (caught, caught_more) == (len(eight), len(more)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
