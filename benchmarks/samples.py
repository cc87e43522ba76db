"""Where a process's time goes, by Linux's `perf`: the functions that its samples fell into."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

RATE = 997  # samples a second of each thread; a prime, so that nothing goes in step with it
LINE = re.compile(r"\s*([\d.]+)%\s+(\S.*?)\s+\[[.k]\]\s+(\S.*?)[\s-]*$")
# Have oneDNN write the names of what it compiles for perf, to /tmp/perf-PID.map.
NAMED = dict.fromkeys(("ONEDNN_JIT_PROFILE", "DNNL_JIT_PROFILE", "MKLDNN_JIT_PROFILE"), "2")
LEAST = 0.004  # of all samples, for a function to be told


def why_not() -> str:
    """Why nothing can be sampled here; "" if it can."""
    if not shutil.which("perf"):
        return "perf is not installed (Debian: linux-perf), so that nothing is sampled"
    asked = ["perf", "record", "-e", "cpu-clock", "-o", "/dev/null", "true"]
    done = subprocess.run(asked, capture_output=True, text=True)
    return f"perf may not sample here: {done.stderr.strip()[:120]}" if done.returncode else ""


@contextmanager
def sampling(pid: int) -> Iterator[dict[str, float]]:
    """Sample a process meanwhile: the share of its samples by function, "library: function", the
    largest first, is there at the end. A library without names is one line."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="ganref-perf-") as folder, ExitStack() as at_last:
        at_last.callback(Path(f"/tmp/perf-{pid}.map").unlink, missing_ok=True)
        path = Path(folder) / "perf.data"
        words = ["perf", "record", "-F", str(RATE), "-e", "cpu-clock", "-o", str(path)]
        recorder = subprocess.Popen(
            [*words, "-p", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield found
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()
        words = ["perf", "report", "-i", str(path), "--stdio", "--sort", "dso,symbol"]
        said = subprocess.run(words, capture_output=True, text=True).stdout
    found.update(by_function(said.splitlines()))


def by_function(lines: list[str]) -> dict[str, float]:
    """The shares in a report of perf's."""
    shares: Counter[str] = Counter()
    for share, library, function in (m.groups() for m in map(LINE.match, lines) if m):
        shares[f"{_library(library)}: {_function(function)}"] += float(share) / 100
    return {name: share for name, share in shares.most_common() if share >= LEAST}


def _library(name: str) -> str:
    """[kernel.kallsyms], "[JIT] tid 7" and libtorch_cpu.so as people call them."""
    return re.split(r"[.\]-]|\.so", name.strip("["))[0].removeprefix("lib")


def _function(name: str) -> str:
    """Without numbers and arguments; C++ may tell what it calls in those of a template alone."""
    if name.startswith("0x"):
        return "(no name)"
    inner = re.findall(r"\w*[a-z]_(?:kernel|impl)\b", name)
    own = inner[0] if "<" in name and inner else re.split(r"[<(]", name)[0]
    return re.sub(r"\.\d+$", "", own)
