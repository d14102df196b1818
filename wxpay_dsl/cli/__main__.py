"""Runs the ``wxpay`` command as ``python -m wxpay_dsl.cli``."""

from . import main

main()
