#!/usr/bin/env bash
# argilla 2.8.0: records that go to a JSON file and come back have no submitted answers any more; discarded ones are back.
#
# One would guess: what records.to_json() writes, records.from_json() reads as it was, and logging the records gives
#   every answer its status again: submitted, draft or discarded.
# What happens: the file has an answer's value and its person, and not its status. Read again, the status of each is
#   None, and what is sent to the server for it is a draft: of submitted answers, and of discarded ones. No error, no
#   warning.
# Why it matters: a backup, or a move to another server, makes drafts of finished work, and answers that a person threw
#   away look like those that were meant. Nothing in the file says which were which.
# What to do: write json.dump(dataset.records.to_list(flatten=True), file): it has QUESTION.responses.status.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check argilla==2.8.0 requests==2.34.2  # which argilla imports and does not name

PYTHONIOENCODING=utf-8 "$work/venv/bin/python" - "$work/records.json" <<'PY'
import sys
import uuid
from importlib.metadata import version

from argilla import Record, Response
from argilla.records._io import JsonIO  # what dataset.records.to_json and from_json call; they need a server
from argilla.responses import UserResponse

STATED = {"submitted": "draft", "draft": "draft", "discarded": "draft"}

print("argilla", version("argilla"))
person = uuid.uuid4()


def record(status):
    answer = Response("color", "red", user_id=person, status=status)
    return Record(id=status, fields={"text": "red cap"}, responses=[answer])


def sent(record):
    """The status that the server gets for the answers of a record."""
    return UserResponse(list(record.responses), _record=record).status.value


before = [record(status) for status in STATED]
JsonIO.to_json(before, sys.argv[1])
changed = False
for old, new in zip(before, JsonIO._records_from_json(sys.argv[1]), strict=True):
    print(f"{old.id}: sent as {sent(old)} before, as {sent(new)} after the file")
    changed |= sent(old) != old.id or sent(new) != STATED[new.id]

if changed:
    sys.exit("changed: this is not what the header states")
print("as stated: every answer is a draft after the file")
PY
