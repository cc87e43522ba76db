"""Which backends this run was told to have. One that is missing fails, it is never skipped.

GANREF_BACKENDS=numpy,torch pytest ...   names them; without it a run means all that
are released for this Python.
"""

import os

import ganref

RELEASED = [name for name, entry in ganref.BACKENDS.items() if not entry.releases.why_not()]
TOLD = os.environ.get("GANREF_BACKENDS", ",".join(RELEASED)).split(",")
