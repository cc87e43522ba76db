"""Each recipe as one script per framework: to read, to project, to copy and to begin from.

They import nothing of ganref. `python -m ganref.pages.gaussian_torch` trains and draws.
"""
