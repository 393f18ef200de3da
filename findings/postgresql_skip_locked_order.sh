#!/usr/bin/env bash
# PostgreSQL 16 (pgserver 0.1.4): a queue with ORDER BY priority ... FOR UPDATE SKIP LOCKED hands out a row whose priority was lowered.
#
# One would guess: the row that a worker gets is the one with the highest priority, for SKIP LOCKED passes over what others hold, and
#   READ COMMITTED reads what is committed.
# What happens: rows are sorted as the statement's snapshot has them, and locked as they are now. A row that another transaction has
#   lowered and committed in between is no longer locked, still fulfils the condition, and comes first, with its new priority 1,
#   while a row with priority 5 is there. There is no error, and the row that is returned shows the new priority.
# Why it matters: a review queue is ordered by what a decision is worth, and a decision on many cells lowers those that are left. A test
#   on SQLite does not show it: SQLAlchemy leaves the clause out of the statement there.
# What to do: let writers take turns (pg_advisory_xact_lock before anything is read), or lock first and sort what is locked.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "pgserver==0.1.4" "psycopg[binary]==3.3.9" "sqlalchemy==2.1.9" 2>/dev/null

cd "$work"
chmod 755 "$work"
"$work/venv/bin/python" - <<'PY'
import sys
import threading
import time
from importlib.metadata import version

import pgserver
import psycopg
from sqlalchemy import column, select, table
from sqlalchemy.dialects import sqlite

NEXT = """
    SELECT name, priority FROM queue, pg_sleep(2) AS wait
    WHERE is_open ORDER BY priority DESC LIMIT 1 FOR UPDATE OF queue SKIP LOCKED
"""
TURN = "SELECT pg_advisory_xact_lock(1)"

server = pgserver.get_server("data", cleanup_mode="delete")
address = server.get_uri()


def handed_out(take_turns: bool) -> tuple[str, int]:
    """What a worker gets while another one lowers the first row; the pause stands for a busy moment."""
    with psycopg.connect(address) as setup:
        setup.execute("DROP TABLE IF EXISTS queue")
        setup.execute("CREATE TABLE queue (name text, priority int, is_open bool)")
        setup.execute("INSERT INTO queue VALUES ('first', 9, true), ('second', 5, true)")
    got = []

    def work() -> None:
        with psycopg.connect(address) as worker:
            if take_turns:
                worker.execute(TURN)
            got.append(worker.execute(NEXT).fetchone())

    with psycopg.connect(address) as other:
        if take_turns:
            other.execute(TURN)
        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(1)
        other.execute("UPDATE queue SET priority = 1 WHERE name = 'first'")
        other.commit()
    worker.join()
    return got[0]


with psycopg.connect(address) as connection:
    print("PostgreSQL", connection.execute("SHOW server_version").fetchone()[0], "SQLAlchemy", version("sqlalchemy"))
alone, in_turn = handed_out(False), handed_out(True)
print("FOR UPDATE SKIP LOCKED hands out:", alone)
print("behind an advisory lock:", in_turn)
queue = table("queue", column("name"))
on_sqlite = str(select(queue.c.name).with_for_update(skip_locked=True).compile(dialect=sqlite.dialect()))
print("SQLAlchemy for SQLite:", " ".join(on_sqlite.split()))
server.cleanup()

if alone != ("first", 1) or in_turn != ("second", 5) or "FOR UPDATE" in on_sqlite:
    sys.exit("changed: this is not what the header states")
print("as stated: the row with the lowered priority is handed out")
PY
