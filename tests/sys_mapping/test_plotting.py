from sysmap_core.methods.table import METHODS
from sysmap_core.sys_mapping import plotting


def test_styles_are_of_all_methods_and_names_of_those_without_positions():
    assert [name for name, row in METHODS.items() if not row.on_sky or name == "ElasticNet"] == plotting.METHOD_ORDER
    for styles in (plotting.METHOD_COLORS, plotting.METHOD_LABELS, plotting.METHOD_LINESTYLES, plotting.METHOD_MARKERS):
        assert set(styles) == {*METHODS, "observed", "uncorrected"}
    assert plotting.METHOD_COLORS["OLS"] == METHODS["OLS"].colour
    assert plotting.METHOD_LABELS["MCMC-add"] == "MCMC additive"
