"""Pages run side by side: the notebooks that changed, as many at once as there are cores.

myst-nb runs one page after the other.  Here they run before it reads them, and their outputs go to
the cache in which it looks for them.  What is not there afterwards is left to myst-nb: a notebook
that failed, whose error it shows, and one that measures times, which wants the machine for itself
and says so in its header::

    sysmap:
      alone: true
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from time import monotonic

from joblib import cpu_count
from sphinx.util import logging


def run_pages(app, env, docnames: list[str]) -> None:
    """Run the notebooks among the pages that are about to be read.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The build.
    env : sphinx.environment.BuildEnvironment
        What Sphinx knows of the pages.
    docnames : list of str
        Pages that are about to be read.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    logger = logging.getLogger(__name__)
    cores = cpu_count()
    jobs = app.config.sysmap_jobs or cores
    if env.mystnb_config.execution_mode != "cache" or jobs == 1:
        return
    cache = get_cache(env.mystnb_config.execution_cache_path)
    waiting = [page for page in map(env.doc2path, docnames) if _is_due(page, env, cache)]
    if len(waiting) < 2:
        return
    threads = {"OMP_NUM_THREADS": str(max(1, cores // jobs))}
    logger.info("Executing notebooks of %d pages, %d at once", len(waiting), jobs)
    with ThreadPoolExecutor(jobs) as pool:
        timeout = env.mystnb_config.execution_timeout
        running = {pool.submit(_execute, _notebook(page, env), page, timeout, threads): page for page in waiting}
        for done, future in enumerate(as_completed(running), start=1):
            page = running[future]
            name = env.path2doc(page)
            try:
                nb, seconds = future.result()
            except Exception as error:
                logger.info("%s: %s; runs again below", name, type(error).__name__)
                continue
            bundle = CacheBundleIn(nb, page, data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            logger.info("%s: %.0f seconds (%d of %d)", name, seconds, done, len(waiting))


def _notebook(page: str, env):
    """Notebook of a page, None where it is plain text."""
    from myst_nb.core.read import create_nb_reader

    text = Path(page).read_text()
    reader = create_nb_reader(page, env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


def _is_due(page: str, env, cache) -> bool:
    nb = _notebook(page, env)
    if nb is None or nb.metadata.get("mystnb", {}).get("execution_mode") == "off":
        return False
    if nb.metadata.get("sysmap", {}).get("alone"):
        return False
    try:
        cache.match_cache_notebook(nb)
    except KeyError:
        return True
    return False


def _execute(nb, page: str, timeout: int, threads: dict[str, str]):
    from nbclient import NotebookClient

    begin = monotonic()
    where = {"metadata": {"path": str(Path(page).parent)}}
    # times of cells in their metadata would make it another notebook to the cache
    NotebookClient(nb, timeout=timeout, resources=where, record_timing=False).execute(env=os.environ | threads)
    return nb, monotonic() - begin
