"""The SQL reference is what the schema's comments say."""

import psycopg

from tests.docs.sql_reference import PAGE, reference


def test_the_sql_reference_is_made_from_the_comments_in_the_schema(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert PAGE.read_text() == reference(connection), "run `make docs-sql`"
