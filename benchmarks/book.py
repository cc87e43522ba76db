"""python -m benchmarks.book --out DIR: measure all that docs/speed.md shows, and write that page.

Every chapter is a command of `benchmarks` with a folder of its own in DIR; one whose results lie
there is not measured again, so that a run which was broken off goes on. No figure of the page is
typed by hand: words that need one stand in a chapter's text as what they are compared with.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganref import cli
from ganref.output.files import write_atomically
from ganref.spec import UserError

from . import command, profile, report, whole

Result = dict[str, Any]
PAGE = Path("docs/speed.md")
MOST_FUNCTIONS = 8  # of perf's, for each framework


def by_backend(result: Result) -> str:
    """Step times as Markdown: a row for each recipe, batch and width, a column for each backend and
    mode, with the share of the best matrix product and, of a row's fast paths, how many times as
    long as the fastest one takes."""
    rows = [row for row in result["rows"] if "step_s" in row]
    columns = list(dict.fromkeys((row["backend"], row["mode"]) for row in result["rows"]))
    lines = ["| recipe | batch | width | " + " | ".join(map(" ".join, columns)) + " |"]
    lines.append("|---" * (3 + len(columns)) + "|")
    for key in dict.fromkeys((r["recipe"], r["batch_size"], r["width"]) for r in result["rows"]):
        own = [r for r in rows if (r["recipe"], r["batch_size"], r["width"]) == key]
        fast = [r["step_s"]["median"] for r in own if r["mode"] == "fast"]
        cells = {(r["backend"], r["mode"]): _cell(r, min(fast, default=0.0)) for r in own}
        name, batch, width = key
        lines.append(f"| {name} | {batch} | {width or '-'} | "
                     + " | ".join(cells.get(c, "-") for c in columns) + " |")  # fmt: skip
    lines += ["", f"{report.rates_line(result['matmul_flops_per_s'])}."]
    return "\n".join(lines)


def _cell(row: dict[str, Any], fastest: float) -> str:
    step, share = row["step_s"]["median"], row["share_of_matmul"]
    parts = [report.seconds(step)]
    parts += [f"{share:.0%}"] if share and share > 0.005 else []
    parts += [f"×{step / fastest:.2f}"] if row["mode"] == "fast" and fastest else []
    return ", ".join(parts)


def by_memory(result: Result) -> str:
    """The same, and each process's resident memory: what it had imported, what training came to
    beyond that, and × the least of a row's."""
    lines = [by_backend(result), "", "| batch | backend | mode | imported | beyond | |"]
    lines.append("|---" * 6 + "|")
    rows = [row for row in result["rows"] if row.get("peak_memory")]
    for row in rows:
        alike = [r for r in rows if r["batch_size"] == row["batch_size"]]
        least = min(map(_beyond, alike))
        name = f"{row['batch_size']} | {row['backend']} | {row['mode']}"
        imported = f"{row['import_memory'] / 2**20:,.0f} MiB"
        own = f"{_beyond(row) / 2**20:,.0f} MiB | ×{_beyond(row) / least:.2f}"
        lines.append(f"| {name} | {imported} | {own} |")
    return "\n".join(lines)


def _beyond(row: dict[str, Any]) -> int:
    return row["peak_memory"] - row["import_memory"]


def of_commands(result: Result) -> str:
    """Whole commands as Markdown: a row for each backend, and × what has no more than the same
    imports and steps."""
    lines = ["| backend | command | bare | page | command over bare |", "|---" * 5 + "|"]
    for name in dict.fromkeys(row["backend"] for row in result["rows"]):
        own = {row["what"]: row for row in result["rows"] if row["backend"] == name}
        cells = [_took(own.get(what)) for what in whole.WHATS]
        bare = whole.ratio(own, "bare")
        lines.append(f"| {name} | {' | '.join(cells)} | {f'×{1 / bare:.2f}' if bare else '-'} |")
    return "\n".join(lines)


def _took(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return report.seconds(row["seconds"]["median"]) if "seconds" in row else row["said"]


def of_kernels(result: Result) -> str:
    """What convolutions and products alone take, in words."""
    flops, floor = result["flops"], result["convolutions_s"]
    rates = ", ".join(f"{n} {r / 1e9:,.0f}" for n, r in result["matmul_flops_per_s"].items())
    return (
        f"A step's convolutions one by one: {report.seconds(floor)}, {flops / floor / 1e9:,.0f}"
        f" GFLOP/s; square matrix products: {rates} GFLOP/s."
    )


def of_profiles(result: Result) -> str:
    """Where the steps' time goes, as Markdown: a column for each framework, and a line of the
    functions that most samples fell into."""
    profiles = result["profiles"]
    names = [f"{p['backend']}, {report.seconds(p['step_s'])}" for p in profiles]
    lines = ["| share of the step | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    shares = [profile.by_kind(p) for p in profiles]
    kinds = {kind: max(s.get(kind, 0.0) for s in shares) for own in shares for kind in own}
    for kind in sorted((k for k in kinds if kinds[k] > 0.005), key=lambda k: -kinds[k]):
        cells = [f"{s[kind]:.1%}" if kind in s else "-" for s in shares]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    left = [1 - sum(own.values()) for own in shares]
    rest = ["at once" if share < 0 else f"{share:.1%}" for share in left]
    lines.append(f"| the rest | {' | '.join(rest)} |")
    return "\n".join([*lines, "", *map(_sampled, profiles)])


def _sampled(found: Result) -> str:
    top = list(found["samples"].items())[:MOST_FUNCTIONS]
    said = "; ".join(f"{share:.0%} `{name}`" for name, share in top)
    return f"- {found['backend']}: {said or 'not sampled'}."


@dataclass(frozen=True)
class Chapter:
    """A command, what it leaves, how that becomes Markdown, and the words before it."""

    name: str
    title: str
    module: str
    words: str
    file: str
    markdown: Callable[[Result], str]
    text: str
    chart: str = ""


def _speed(name: str, title: str, words: str, text: str, markdown: Any = by_backend) -> Chapter:
    chart = "curves.png" if re.search(r"--(batch-sizes|widths) \S*,", words) else "speed.png"
    return Chapter(name, title, "benchmarks.speed", words, "speed.json", markdown, text, chart)


# Of the frameworks with convolutions those that compile in seconds.
QUICK = "torch,tf,mxnet"

CHAPTERS = (
    _speed("toy", "The toy", "", "A step has few thousand FLOPs: all of its time is overhead."),
    Chapter("whole", "Whole commands", "benchmarks.whole", "--repeats 2", "whole.json", of_commands,
            "`ganref.train` with imports, pictures and a checkpoint, nothing compiled before; the"
            " same imports, draws and steps alone (bare); and those of the framework's page."),
    Chapter("again", "Whole commands again", "benchmarks.whole", "--warm --repeats 2", "whole.json",
            of_commands, "The same where an earlier run has left what was compiled."),
    _speed("mlp", "A dense network", "--recipes mlp --batch-sizes 32,128,512 --modes fast",
           "Products of matrices, dropout and Adam."),
    _speed("ring", "Points on a ring", "--recipes ring --batch-sizes 64,256,1024 --modes fast",
           "The networks of the labs: products so small that starting them counts."),
    _speed("dcgan32", "A small convolutional GAN",
           "--recipes dcgan32 --batch-sizes 16,64,128 --modes fast --repeats 3",
           "Kernels of 5 at uneven padding, on images of 4 to 32 pixels.", by_memory),
    Chapter("kernels32", "Its convolutions alone", "benchmarks.limits",
            "--recipe dcgan32 --batch-size 64", "limits.json", of_kernels,
            "PyTorch's own kernels, hot, the best of ten calls, padding not counted."),
    _speed("ebgan", "An autoencoder as discriminator",
           "--recipes ebgan --batch-sizes 16,32,64 --modes fast --repeats 3",
           "Strided convolutions and their transposes in D, too."),
    _speed("dcgan", "DCGAN", "--recipes dcgan --batch-sizes 64 --repeats 3 --input",
           "Width 64 on images of 64 × 64, and the page that a person would write.", by_memory),
    Chapter("kernels", "Its convolutions alone", "benchmarks.limits", "--batch-size 64",
            "limits.json", of_kernels, "Normalisation, activations and Adam are not counted."),
    Chapter("profile-mlp", "Where a small dense step's time goes", "benchmarks.profile",
            "--recipe mlp --batch-size 32", "profile.json", of_profiles,
            "By oneDNN's own account of its calls, and by the functions that perf's"
            " samples of all threads fell into. `gomp` is OpenMP, whose threads wait there for one"
            " another; what is in the kernel is sleep, pages and their zeros. Calls that run beside"
            " one another may come to more than the step: \"at once\"."),
    Chapter("profile-ring", "Where a smaller one's goes", "benchmarks.profile",
            "--recipe ring --batch-size 256", "profile.json", of_profiles, "The same, of `ring`."),
    Chapter("profile32", "Where a small convolutional step's time goes", "benchmarks.profile",
            "--recipe dcgan32 --batch-size 64 --backends torch,tf,mxnet,jax", "profile.json",
            of_profiles, "The same, of `dcgan32`; `reorder` is a change of layout."),
    Chapter("profile", "Where DCGAN's time goes", "benchmarks.profile",
            f"--batch-size 64 --backends {QUICK}", "profile.json", of_profiles,
            "The same, of `dcgan`."),
    Chapter("profile-page", "Where the page's goes", "benchmarks.profile",
            "--batch-size 64 --mode page --backends torch,tf", "profile.json", of_profiles,
            "The same GAN as a person would write it, before anything that this house does."),
    _speed("batches", "Growth with the batch",
           f"--recipes dcgan32 --batch-sizes 8,32,256 --backends {QUICK} --modes fast --repeats 3",
           "How a step's share of the product's rate changes with the batch."),
    _speed("widths", "Growth with the width", "--recipes dcgan32 --batch-sizes 32"
           f" --widths 8,16,32,64 --backends {QUICK} --modes fast --repeats 3",
           "FLOPs grow with the width's square, normalisation and activations with the width."),
    _speed("thread", "One thread", "--recipes mlp,dcgan32 --batch-sizes 32 --threads 1"
           f" --backends {QUICK} --modes fast --repeats 3", "What a second core is good for."),
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.book", __doc__)
    p.add_argument("--page", type=cli.path, default=PAGE, help=f"to write (default {PAGE})")
    p.add_argument("--chapters", help="comma-separated (default all)")
    return p


def measure(chapter: Chapter, args: argparse.Namespace) -> None:
    """Run a chapter's command, unless its results are there. Raises UserError if it leaves none."""
    folder = args.out / chapter.name
    if (folder / chapter.file).is_file():
        command.say(f"{chapter.name}: there already")
        return
    part = folder.with_suffix(".part")  # not there until all of it is
    shutil.rmtree(part, ignore_errors=True)
    words = [sys.executable, "-m", chapter.module, *chapter.words.split(), "--out", str(part)]
    for option, given in ("--threads", args.threads), ("--backends", args.backends):
        words += [option, str(given)] if given and option not in words else []
    subprocess.run(words, check=False)  # 1 says that a row is missing, and the row says why
    if not (part / chapter.file).is_file():
        raise UserError(f"{chapter.name}: {' '.join(words[1:])} left no {chapter.file}")
    part.rename(folder)


def write(chapters: list[Chapter], args: argparse.Namespace) -> None:
    """The page of all chapters whose results are there, with their charts beside it."""
    found = {c: json.loads((args.out / c.name / c.file).read_text()) for c in chapters}
    about = next(iter(found.values()))["environment"]
    versions = {k: v for r in found.values() for k, v in r["environment"]["versions"].items()}
    parts = [
        "# Speed: what was measured, and what bounds it",
        "Written by `python -m benchmarks.book` from one run; how it is measured stands in"
        " [benchmarks/README.md](../benchmarks/README.md). Medians over interleaved rounds: the"
        " time of a step, its share of the machine's best square matrix product, and × the fastest"
        " framework's.",
        f"{about['processor']} (family {about['processor_family']}; "
        f"{', '.join(about['instructions'])}), {about['threads']} of {about['cores']} cores, load"
        f" {about['load_before'][0]:.1f} before; "
        + ", ".join(v if " " in v else f"{k} {v}" for k, v in versions.items())
        + ".",
        *(f"{warning}." for warning in report.warnings(about)),
    ]
    for chapter, result in found.items():
        parts += [f"## {chapter.title}", chapter.text, f"`{_said(chapter)}`"]
        parts.append(chapter.markdown(result))
        chart = args.out / chapter.name / chapter.chart
        if chapter.chart and chart.is_file():
            image = args.page.parent / "images" / f"speed-{chapter.name}.png"
            write_atomically(image, chart.read_bytes())
            parts.append(f"![{chapter.title}: examples per second](images/{image.name})")
    parts.append(Path(__file__).with_name("tried.md").read_text().strip())
    parts.append("GPUs: [gpu.md](gpu.md).")
    write_atomically(args.page, ("\n\n".join(parts) + "\n").encode())


def _said(chapter: Chapter) -> str:
    return f"python -m {chapter.module} {chapter.words}".strip()


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing, and write the page after every chapter."""
    args = parser().parse_args(argv)
    names = args.chapters.split(",") if args.chapters else [c.name for c in CHAPTERS]
    unknown = set(names) - {c.name for c in CHAPTERS}
    if unknown:
        there = ", ".join(c.name for c in CHAPTERS)
        raise UserError(f"no chapter {', '.join(sorted(unknown))}; there are {there}")
    command.prepare(args.out)
    command.prepare(args.page.parent / "images")
    done = []
    for chapter in (c for c in CHAPTERS if c.name in names):
        measure(chapter, args)
        done.append(chapter)
        write(done, args)
    print(f"written: {args.page}")
    return 0


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.book")
