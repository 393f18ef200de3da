#!/usr/bin/env bash
# prometheus_client 0.26.0: a gauge whose value is a function is 0 as soon as several processes share their figures.
#
# One would guess: `gauge.set_function(f)` exports what f returns; where that cannot be done it is an error.
# What happens: with the variable PROMETHEUS_MULTIPROC_DIR, which a service with several worker processes sets,
#   MultiProcessCollector reads the figures from files, and the function is never called. The gauge is there, with
#   the value 0. The same gauge set by `set` has its value, and so has the function's where the variable is not set.
# Why it matters: the length of a queue is such a gauge. A queue that is full looks empty, and an alarm that waits for
#   it never comes; with one process, where the service was tried, all is well.
# What to do: call `set` whenever the value changes.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check prometheus_client==0.26.0
mkdir "$work/figures"
cat > "$work/gauge.py" <<'PY'
import os
import sys

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
by_function = Gauge("by_function", "a queue", registry=registry, multiprocess_mode="livesum")
by_function.set_function(lambda: 7)
by_value = Gauge("by_value", "a queue", registry=registry, multiprocess_mode="livesum")
by_value.set(7)
exported = registry
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    exported = CollectorRegistry()
    MultiProcessCollector(exported)
lines = [line for line in generate_latest(exported).decode().splitlines() if not line.startswith("#")]
print(sys.argv[1] + ":", ", ".join(sorted(lines)))
PY
"$work/venv/bin/python" -c 'from importlib.metadata import version; print("prometheus_client", version("prometheus_client"))'
one=$("$work/venv/bin/python" "$work/gauge.py" "one process")
several=$(PROMETHEUS_MULTIPROC_DIR="$work/figures" "$work/venv/bin/python" "$work/gauge.py" "several processes")
printf '%s\n%s\n' "$one" "$several"
if [ "$one" != "one process: by_function 7.0, by_value 7.0" ] ||
  [ "$several" != "several processes: by_function 0.0, by_value 7.0" ]; then
  echo "changed: this is not what the header states"
  exit 1
fi
echo "as stated: the gauge that is a function is 0 where several processes share their figures"
