"""Keys, certificates and ciphers of WeChat Pay, RSA and ShangMi (国密), and the protocols of those who hold keys.

Read :mod:`.keys` first, which loads keys from all the forms they come in, then :mod:`.ciphers`. :mod:`.signer` and
:mod:`.decryptor` are the protocols for the merchant's private key, :mod:`.platform_key` that for WeChat Pay's public
keys. Imports ``core`` and ``wechat.service_hosts``.
"""
