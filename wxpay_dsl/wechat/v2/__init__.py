"""APIv2: XML, with the signature as one of its fields (``sign``), and the client certificate (商户API证书).

Read :mod:`.dialect` first, which encodes, decodes and finds errors; then :mod:`.signer`, which completes and signs
requests, and :mod:`.middleware`, which verifies responses, both with :mod:`.signing` and :mod:`.xml`. Imports ``core``,
``wechat.crypto`` and ``wechat.v3`` (error classes and nonces).
"""
