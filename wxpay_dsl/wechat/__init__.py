"""The vocabulary of WeChat Pay (微信支付): signatures, ciphers, keys, XML, errors and bills of its APIs.

Read :mod:`.v3.middleware` first, which signs an APIv3 request and verifies its response. ``crypto`` has keys and
ciphers, ``v3`` and ``v2`` the two dialects, ``signers`` the merchant's private key in use, ``platform_keys`` the
service's public keys, ``bills`` the statements, ``payment_params`` what front ends need to start a payment. Imports
``core`` only. Does no I/O, except in ``platform_keys``, ``signers``, ``bills`` and to read key files.
"""
