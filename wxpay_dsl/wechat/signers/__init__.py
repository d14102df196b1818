"""Signers beside the one in :mod:`wxpay_dsl.wechat.signers.local`: off the event loop, in an HSM, and ShangMi (国密).

Each is given as ``private_key``. One that also has ``decrypt`` decrypts sensitive fields and the keys of files.
"""
