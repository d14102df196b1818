"""YAML specs to frozen values (``Operation``, ``Event``, ``Schema``), and back to YAML.

Read :mod:`.model` first, then :mod:`.grammar` (the keywords) and :mod:`.loader` (files). :mod:`.index` caches what a
folder declares. These modules import :mod:`wxpay_dsl.core.errors`, :mod:`wxpay_dsl.core.origins` and one another.
"""
