"""No parameter of a function is taken for a column of what the function reads.

Where both have a name, PostgreSQL takes the column in functions in SQL, and in those in PL/pgSQL
that say use_column: a comparison with the parameter then compares the column with itself, and no
error tells. Such a parameter is written with the name of its function.
"""

import re
from collections.abc import Mapping

from tests.database.queue import Queue

FUNCTIONS = """
    select p.oid::regprocedure::text as signature, p.prosrc as body,
        coalesce(array(
            select a.name from unnest(p.proargnames, p.proargmodes) as a (name, mode)
            where coalesce(a.mode, 'i') in ('i', 'b', 'v')
        ), '{}') as parameters
    from pg_proc as p
    where p.pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
"""
COLUMNS = """
    select c.relname::text as relation, array_agg(a.attname::text) as columns
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
        and c.relkind in ('r', 'p', 'v') and not c.relispartition
    group by c.relname
"""

READ = re.compile(r"\b(?:from|join|update|using)\s+(?:pgqueue\.|pgqueue_private\.)?(\w+)")
# What names a column or an alias, and cannot be a parameter; and what PL/pgSQL reads without
# any table.
NAMING = re.compile(
    r"\binsert into [\w.]+(?: as \w+)? \([^)]*\)|\bon conflict \([^)]*\)|\busing \([^)]*\)"
    r"|\bas \w+(?: \([^)]*\))?|(?:\bset|,)\s+\w+ =|\b(?:els)?if\b[^;]*?\bthen\b"
    r"|\b(?:from|join|update)\s+[\w.]+(?!\w|\()"
)


def clashes(body: str, parameters: list[str], columns: Mapping[str, set[str]]) -> set[str]:
    """Return the parameters that a statement of a body says alone, and that it reads as columns."""
    found = set[str]()
    if "#variable_conflict use_variable" in body:
        return found
    for statement in re.sub(r"--.*|'[^']*'", "", body).split(";"):
        read = {name for table in READ.findall(statement) for name in columns.get(table, ())}
        alone = set(re.findall(r"(?<![\w.])\w+\b(?!\s*(?:\(|=>|\.))", NAMING.sub(" ", statement)))
        found |= set(parameters) & read & alone
    return found


def test_no_parameter_is_taken_for_a_column(queue: Queue) -> None:
    columns = {row["relation"]: {*row["columns"]} for row in queue.rows(COLUMNS)}
    functions = queue.rows(FUNCTIONS)
    assert len(functions) > 200
    taken = {f["signature"]: clashes(f["body"], f["parameters"], columns) for f in functions}
    assert {signature: names for signature, names in taken.items() if names} == {}


def test_a_clash_is_noticed_wherever_a_statement_compares() -> None:
    columns = {"rollup": {"minute", "n"}}
    for body in (
        "select max(r.n) from rollup as r where r.n < minute",
        "select 1 from pgqueue_private.rollup as r where minute is null or r.n = 1",
        "begin update rollup as r set n = minute; end",
        "begin if true then delete from rollup as r where r.minute = minute; end if; end",
    ):
        assert clashes(body, ["minute"], columns) == {"minute"}, body
    for body in (
        "select max(r.n) from rollup as r where r.minute < f.minute",
        "begin update rollup as r set minute = f.minute, n = 1; end",
        "begin if minute is null then delete from rollup; end if; end",
        "select max(t.n) from task as t where t.n < minute",
        "insert into rollup (minute) values (minute)",
    ):
        assert clashes(body, ["minute"], columns) == set(), body
