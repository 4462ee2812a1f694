import time

from sysmap_core.book.origins import PACKAGES, provenance, timed


def test_facts_of_a_run():
    facts = provenance(seed=7, sources={"galaxies": "simulated, seed 7"}, started=time.perf_counter())
    assert facts["seed"] == "7"
    assert facts["galaxies"] == "simulated, seed 7"
    assert set(PACKAGES) <= set(facts)
    assert facts["run time"].endswith(" s")


def test_time_of_a_call():
    ticks = iter([1.0, 3.5])
    assert timed(max, 1, 2, clock=lambda: next(ticks), key=abs) == (2, 2.5)
