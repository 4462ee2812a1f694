import time

from sysmap_core.book.origins import PACKAGES, provenance


def test_facts_of_a_run():
    facts = provenance(seed=7, sources={"galaxies": "simulated, seed 7"}, started=time.perf_counter())
    assert facts["seed"] == "7"
    assert facts["galaxies"] == "simulated, seed 7"
    assert set(PACKAGES) <= set(facts)
    assert facts["run time"].endswith(" s")
