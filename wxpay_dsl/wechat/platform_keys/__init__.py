"""The platform keys that a client trusts (微信支付公钥, 微信支付平台证书): chosen, downloaded, decrypted and stored.

Read :mod:`.keyring` first, the keyring of configured keys, then :mod:`.refreshing`, which downloads certificates as
:mod:`.refresh_policy` decides and keeps them in a :mod:`.store`. A single key is a
:class:`wxpay_dsl.wechat.crypto.platform_key.PlatformKey`. Imports ``core``, ``wechat.crypto`` and ``wechat.v3``.
"""
