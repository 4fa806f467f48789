"""All SQL. The journal is one SQLite file; every other part may be lost and is rebuilt from it."""
