"""The benchmarks: ``python -m bench NAME [--quick] --json -`` runs the module NAME of this package.

Read ``__main__`` first. A module with a function ``run`` is a benchmark; those with a leading underscore support them.
"""
