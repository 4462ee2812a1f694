"""Names and styles of the methods that arrays without positions can be given to, for tables and figures."""

from __future__ import annotations

from ..methods import METHODS

METHOD_ORDER = ["OLS", "ElasticNet", "ISD-1", "ISD-3", "MCMC-add", "MCMC-comb"]
"""Methods of :func:`~.run_decontamination`; :data:`~.METHODS` has more, which need to know the sky."""


METHOD_COLORS = {name: row.colour for name, row in METHODS.items()} | {
    "ISD-3": "#E15759",
    "MCMC-comb": "#76B7B2",
    "observed": "#333333",
    "uncorrected": "#888888",
}
"""Colours by method; two are those of sys_mapping and not of the figures of this book."""


METHOD_LABELS = {name: row.label for name, row in METHODS.items()} | {
    "ElasticNet": "ElasticNet",
    "observed": "Observed",
    "uncorrected": "Uncorrected",
}


METHOD_LINESTYLES = {name: row.linestyle for name, row in METHODS.items()} | {"observed": "-.", "uncorrected": ":"}


METHOD_MARKERS = {name: row.marker for name, row in METHODS.items()} | {"observed": "o", "uncorrected": "x"}
