"""Which pins the Python that runs this has: with MXNet while there is one, else on NumPy 2."""

import sys

print("constraints.txt" if sys.version_info < (3, 13) else "constraints-numpy2.txt")
