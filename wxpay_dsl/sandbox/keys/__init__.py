"""The keys of the sandbox: its merchants', the platform's, its TLS certificates, and the folder that keeps them.

Read ``identity`` first (a merchant, a platform key pair, how they are made), then ``platform`` (which pair signs, and
rotation), ``home`` (the files of ``--home``) and ``tls``. It imports ``wxpay_dsl.core``, ``wxpay_dsl.wechat`` and
``wxpay_dsl.settings``, and nothing else of the sandbox.
"""
