"""The project's measures: ``python -m bench NAME [--quick] --json -``. Each module here with a ``run`` is one."""
