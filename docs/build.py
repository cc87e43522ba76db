"""python -m docs.build: the site in both languages, read from disk; warnings are errors."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
LANGUAGES = {"en": ".", "fr": "fr"}


def build(site: Path = SITE, languages: tuple[str, ...] = tuple(LANGUAGES)) -> int:
    """Build the languages below `site`, what has not changed since the last time apart; the exit
    code of the last that has a warning, else 0."""
    code = 0
    for language in languages:
        command = [sys.executable, "-m", "sphinx", "--builder", "html", "--quiet", "--nitpicky"]
        command += ["--fail-on-warning", "--keep-going", "--define", f"language={language}"]
        # Beside the site, since what lies in it is for readers.
        command += ["--doctree-dir", str(site.with_name(f"{site.name}-doctrees") / language)]
        done = subprocess.run([*command, "docs", str(site / LANGUAGES[language])], cwd=ROOT)
        code = done.returncode or code
    return code


def main() -> int:
    """Build, and say where."""
    p = argparse.ArgumentParser(prog="docs.build", description=__doc__)
    p.add_argument("--out", type=Path, default=SITE, help="the site (default build/site)")
    p.add_argument("--language", choices=LANGUAGES, help="this one alone (default: all)")
    args = p.parse_args()
    languages = (args.language,) if args.language else tuple(LANGUAGES)
    code = build(args.out.absolute(), languages)
    if not code:
        print(f"{args.out}/index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
