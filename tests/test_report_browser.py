"""The report in a browser: what it shows, and that it asks nobody for anything."""

from __future__ import annotations

import http.server
import io
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import write_notebook
from test_report_page import Page, run

from kalecompiler.cli import main

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")
# What Chromium itself asks its makers, whatever page it shows.
OF_THE_BROWSER = re.compile(r"^(http://)?(accounts|clients\d|update|www|optimizationguide-pa)\.google(apis)?\.com\b")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
CLASSIFIERS = Path(__file__).parent.parent / "notebooks" / "classifiers.ipynb"
BAR, STEP = (0x1F, 0x77, 0xB4), (0xE3, 0xF5, 0xE8)
COLOURS = {"theirs": (1, 2, 3), "own": (9, 200, 30), "step": STEP, "heads of tables": (0xF5, 0xF7, 0xFA)}
SCRIPTS = """
import pandas
print("<script>document.title = 'hacked'</script>")
pandas.DataFrame({"<script>a</script>": ["<script>document.title = 'hacked too'</script>"]})
"""
HOSTILE = """
# %% step:show
from IPython.display import HTML, display
class Page:
    def __init__(self, text): self.text = text
    def _repr_html_(self): return self.text
display(Page(\"\"\"
<img src="ADDRESS/image"><script src="ADDRESS/script"></script><script>fetch("ADDRESS/fetch")</script>
<link rel="stylesheet" href="ADDRESS/link">
<style>@import url("ADDRESS/import"); body { background: url(ADDRESS/css) }</style>
<iframe src="ADDRESS/frame"></iframe><meta http-equiv="refresh" content="0; url=ADDRESS/refresh">
<svg><image href="ADDRESS/svg"/></svg><img src=x onerror="fetch('ADDRESS/onerror')"><video src="ADDRESS/video" autoplay>
<object data="ADDRESS/object"></object><embed src="ADDRESS/embed"><!-- <b>
\"\"\"))
# %% [markdown]
![remote](ADDRESS/markdown) <img src="ADDRESS/raw">
# %% step:show
"the end"
"""


def browse(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=3000"]
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [BROWSER, *flags, profile, *options, page.absolute().as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True)


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and the paths that it is asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_CONNECT = do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", paths
    server.shutdown()
    server.server_close()


STYLES = """
# %% [markdown]
<style>h1, h2, table {display: none !important} body, :host {background: rgb(1, 2, 3) !important}</style>
# %% step:a
import pandas
display({"text/html": "<div style='position:fixed;inset:0;background:rgb(1,2,3);z-index:9'>over</div>"}, raw=True)
display({"text/html": "<html style='display:none'><body style='background:rgb(1,2,3)'>in</body></html>"}, raw=True)
display({"text/html": "<style>:host {position: fixed !important; inset: 0; background: rgb(1,2,3)}</style>x"}, raw=True)
display({"text/html": "<style>#t td {background: rgb(9, 200, 30); padding: 40px}</style>"
         "<table id=t><tr><td>mine</td></tr></table>"}, raw=True)
"""


def test_what_a_cell_styles_is_itself_alone(tmp_path: Path) -> None:
    folder = run(write_notebook(tmp_path / "styles.ipynb", STYLES))
    assert main(["report", str(folder)]) == 0
    import matplotlib.image

    shot = tmp_path / "shot.png"
    browse(folder / "report.html", tmp_path, "--window-size=1200,3000", f"--screenshot={shot}")
    pixels = matplotlib.image.imread(io.BytesIO(shot.read_bytes()))[:, :, :3] * 255
    count = {name: int((abs(pixels - colour) < 2).all(axis=2).sum()) for name, colour in COLOURS.items()}
    assert count["theirs"] < 80_000  # a line or two of the page's 3000
    assert count["own"] > 3000  # a style sheet has its effect on the output that it came with
    assert count["step"] > 1000
    assert count["heads of tables"] > 5000


@pytest.mark.slow
def test_the_five_classifiers_in_a_browser(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    document = json.loads(CLASSIFIERS.read_text("utf-8"))
    last = next(cell for cell in document["cells"] if "step:compare" in cell["metadata"].get("tags", []))
    last["source"] = "".join(last["source"]) + SCRIPTS
    path = tmp_path / "classifiers.ipynb"
    path.write_text(json.dumps(document), "utf-8")
    folder = run(path, "-p", "trees=5")
    assert main(["report", str(folder)]) == 0

    address, paths = asked
    proxy = [f"--proxy-server={address}", *QUIET]  # which is asked for everything that is on no disk
    seen = Page(browse(folder / "report.html", tmp_path, "--dump-dom", *proxy).stdout.decode())
    assert [path for path in paths if not OF_THE_BROWSER.search(path)] == []
    assert seen.count("svg", "graph") == 1
    assert seen.count("rect", "step") == 8
    assert "best_score" in seen.text
    for text in ("<script>document.title = 'hacked'</script>", "<script>document.title = 'hacked too'</script>"):
        assert text in seen.text
    assert seen.count("script") == 0

    import matplotlib.image

    shot = tmp_path / "shot.png"
    browse(folder / "report.html", tmp_path, "--window-size=1200,4000", f"--screenshot={shot}")
    pixels = matplotlib.image.imread(io.BytesIO(shot.read_bytes()))[:, :, :3] * 255
    for colour in (BAR, STEP):
        assert (abs(pixels - colour) < 2).all(axis=2).sum() > 1000, colour


def test_a_page_asks_nobody_for_anything_whatever_was_displayed(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    address, paths = asked
    folder = run(write_notebook(tmp_path / "hostile.ipynb", HOSTILE.replace("ADDRESS", address)))
    assert main(["report", str(folder)]) == 0
    seen = Page(browse(folder / "report.html", tmp_path, "--dump-dom").stdout.decode())
    assert paths == []
    assert "the end" in seen.text
    assert "Provenance" in seen.text

    plain = tmp_path / "plain.html"  # that the server is asked where a page may: else these tests show nothing
    plain.write_text(f'<img src="{address}/image">', "utf-8")
    browse(plain, tmp_path, "--dump-dom")
    assert paths == ["/image"]
    plain.write_text("<img src='http://example.org/far'><img src='https://example.org/'>", "utf-8")
    browse(plain, tmp_path, "--dump-dom", f"--proxy-server={address}", *QUIET)
    assert {"http://example.org/far", "example.org:443"} <= {*paths}
