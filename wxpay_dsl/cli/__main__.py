"""``python -m wxpay_dsl.cli`` is ``wxpay``."""

from wxpay_dsl.cli import main

main()
