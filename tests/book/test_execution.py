"""Pages of a book run side by side, and what they print is shown."""

import re
import subprocess
import sys

import pytest

HEADER = """\
---
jupytext:
  text_representation:
    format_name: myst
kernelspec:
  name: python3
{more}
---

# {title}

```{{code-cell}} ipython3
{code}
```
"""
MEETING = """\
import time
from pathlib import Path
Path("{mine}.here").touch()
end = time.monotonic() + 60
while not Path("{other}.here").exists():
    assert time.monotonic() < end, "nobody came"
    time.sleep(0.05)
print("met " + "{other}")"""

CONFIG = """\
extensions = ["myst_nb", "sysmap_core.book"]
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
sysmap_jobs = {jobs}
"""


@pytest.fixture
def book(tmp_path):
    """Build a book of the given pages, and return exit status, log and the text of each page."""
    source, out = tmp_path / "source", tmp_path / "build" / "html"
    source.mkdir()

    def build(pages, jobs=2):
        (source / "conf.py").write_text(CONFIG.format(jobs=jobs))
        for title, (code, more) in pages.items():
            (source / f"{title}.md").write_text(HEADER.format(title=title, code=code, more=more))
        names = "\n".join(pages)
        (source / "index.md").write_text(f"# Index\n\n```{{toctree}}\n{names}\n```\n")
        command = [sys.executable, "-m", "sphinx", source, out]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        html = {title: path.read_text() for title in pages if (path := out / f"{title}.html").exists()}
        return done.returncode, re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr), html

    return build


def test_pages_run_at_the_same_time_and_once(book):
    pages = {"one": (MEETING.format(mine="one", other="two"), ""), "two": (MEETING.format(mine="two", other="one"), "")}
    _, log, html = book(pages)
    assert "met two" in html["one"]
    assert "met one" in html["two"]
    assert "Executing notebook using" not in log  # not by myst-nb, page by page
    _, log, html = book({title: (code, f"# {title}") for title, (code, _) in pages.items()})  # read again, same code
    assert "Executing" not in log
    assert "met two" in html["one"]


def test_page_that_measures_times_runs_alone(book):
    quick = ("print(6 * 7)", "")
    _, log, html = book({"a": quick, "b": ("print(2 * 21)", ""), "c": ("print(126 // 3)", "sysmap:\n  alone: true")})
    assert "Executing notebooks of 2 pages, 2 at once" in log
    assert log.count("Executing notebook using") == 1
    assert all("42" in text for text in html.values())


def test_one_job_leaves_all_to_myst_nb(book):
    _, log, html = book({"a": ("print(6 * 7)", ""), "b": ("print(2 * 21)", "")}, jobs=1)
    assert log.count("Executing notebook using") == 2
    assert all("42" in text for text in html.values())


def test_failing_page_fails_the_build_and_shows_its_error(book):
    status, log, _ = book({"a": ("print(42)", ""), "b": ("raise RuntimeError('lost in the sky')", "")})
    assert status != 0
    assert "RuntimeError: lost in the sky" in log
    assert log.count("Executing notebook using") == 1  # the other one is in the cache
