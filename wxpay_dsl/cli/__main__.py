"""``python -m wxpay_dsl.cli`` is ``wxpay``."""

from . import main

main()
