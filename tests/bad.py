"""Bad notebooks that no page can write out: too large, or in need of what lies around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support import write_notebook


def link_out_of_the_folder(folder: Path) -> Path:
    """KC324: a module beside the notebook is a link to a file elsewhere."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "helpers.py").write_text("def rows():\n    return [1, 2]\n")
    home = folder / "home"
    home.mkdir()
    (home / "helpers.py").symlink_to((elsewhere / "helpers.py").resolve())
    return write_notebook(home / "example.ipynb", "# %% step:load\nimport helpers\nprint(helpers.rows())")


def package_with_data(folder: Path) -> Path:
    """KC325: a package beside the notebook has a file that is no code."""
    (folder / "words").mkdir()
    (folder / "words" / "__init__.py").write_text("COUNT = 2\n")
    (folder / "words" / "list.txt").write_text("one two\n")
    return write_notebook(folder / "example.ipynb", "# %% step:load\nimport words\nprint(words.COUNT)")


def module_of_another_distribution(folder: Path) -> Path:
    """KC330: `site`, to be put on sys.path, has the module `frob` of the distribution `frobnicate-tools`."""
    info = folder / "site" / "frobnicate_tools-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "site" / "frob.py").write_text("")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frobnicate-tools\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("frob\n")
    (info / "RECORD").write_text("frob.py,,\n")
    return write_notebook(folder / "example.ipynb", "# %% step:load\nimport frob\nprint(frob)")


def table_in_a_cell(folder: Path) -> Path:
    """KC501: a cell of 200 kB."""
    rows = ",\n".join("[5.1, 3.5, 1.4, 0.2, 'setosa', 'a line of a table']" for _ in range(4000))
    return write_notebook(folder / "example.ipynb", f'# %% step:load\ntable = """\n{rows}\n"""')


def eighty_steps(folder: Path) -> Path:
    """KC502: a workflow of over 1 MiB."""
    return _steps(folder, 80, 100)


def two_hundred_steps(folder: Path) -> Path:
    """KC503: a workflow of over 1.5 MiB."""
    return _steps(folder, 200, 60)


def _steps(folder: Path, count: int, lines: int) -> Path:
    """Steps in a chain, each with so many lines of 120 characters: most are comments, which are quick to analyse."""
    line = f"print('{'a long story, ' * 7}')".ljust(120, "#")
    code = "\n".join([line, *(f"#{line[1:]}" for _ in range(lines - 1))])
    cells = [f"# %% step:part-1\nx1 = 1\n{code}"]
    cells += [f"# %% step:part-{n} prev:part-{n - 1}\nx{n} = x{n - 1} + 1\n{code}" for n in range(2, count + 1)]
    return write_notebook(folder / "example.ipynb", "\n".join(cells))


MAKERS: dict[str, Callable[[Path], Path]] = {
    "KC324": link_out_of_the_folder,
    "KC325": package_with_data,
    "KC330": module_of_another_distribution,
    "KC501": table_in_a_cell,
    "KC502": eighty_steps,
    "KC503": two_hundred_steps,
}
