"""`ganref page`: a copy to start from, and one line where there is none."""

import json
import sys
from pathlib import Path

import pytest

from ganref import page
from ganref.spec import UserError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _page(name: str) -> str:
    return (Path(page.__file__).parent / "pages" / f"{name}.py").read_text()


@pytest.mark.parametrize(
    "words, name, out",
    [
        ("gaussian", "gaussian_torch", "gaussian_torch.py"),
        ("gaussian --framework numpy -o my_gan.py", "gaussian_numpy", "my_gan.py"),
        ("dcgan-nyu --framework torch -o new/my_gan.py", "dcgan_nyu_torch", "new/my_gan.py"),
    ],
)
def test_a_copy_is_the_page_and_its_licence(
    words: str, name: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert page.main(words.split()) == 0
    text = Path(out).read_text()
    assert text.replace(f"\n#\n{page.LICENCE}", "") == _page(name)
    assert "MIT" in page.LICENCE and text.index(page.LICENCE) < text.index("\n\n")
    assert capsys.readouterr().out.endswith(f": {out}\n")


def test_every_page_can_be_copied() -> None:
    files = {path.stem for path in (Path(page.__file__).parent / "pages").glob("[!_]*.py")}
    named = {page.named(r, framework) for r, own in page.pages().items() for framework in own}
    assert named == files
    for name in files:
        compile(page.copy(name), name, "exec")


def test_a_notebook_has_the_page_s_cells() -> None:
    pytest.importorskip("jupytext")
    assert page.main(["gaussian", "--framework", "numpy", "-o", "my_gan.ipynb"]) == 0
    cells = json.loads(Path("my_gan.ipynb").read_text())["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code"] * 9
    assert page.LICENCE.removeprefix("# ") in "".join(cells[0]["source"])
    assert "".join(cells[-1]["source"]).startswith('if __name__ == "__main__":')


@pytest.mark.parametrize(
    "words, said",
    [
        ("ring", "no page of recipe 'ring'; there are gaussian, dcgan, "),
        ("mlp --framework numpy", "no page of mlp in 'numpy'; there are "),
        ("gaussian --framework pytorch", "no page of gaussian in 'pytorch'; there are "),
        ("gaussian -o my_gan.txt", "must end in .py or .ipynb, not .txt"),
        ("gaussian -o there.py", "there.py is there already"),
        ("gaussian -o there.py/my_gan.py", "cannot write there.py"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(words: str, said: str) -> None:
    Path("there.py").write_text("mine")
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        page.main(words.split())
    assert [path.name for path in Path().iterdir()] == ["there.py"]
    assert Path("there.py").read_text() == "mine"


def test_no_notebook_without_jupytext(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(UserError, match=r"a notebook needs jupytext, .*\[docs\]"):
        page.main(["gaussian", "-o", "my_gan.ipynb"])
    assert not list(Path().iterdir())
