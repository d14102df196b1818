"""Signers, each of which can be given as ``private_key``: in memory, in a thread, in an HSM, and ShangMi (国密).

Read :mod:`.local` first, the default. The protocol that all of them implement is
:class:`wxpay_dsl.wechat.crypto.signer.Signer`; a signer that also has ``decrypt``
(:class:`wxpay_dsl.wechat.crypto.decryptor.Decryptor`) decrypts sensitive fields and the keys of encrypted files.
Imports ``core``, ``wechat.crypto`` and ``wechat.v3``.
"""
