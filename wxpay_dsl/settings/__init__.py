"""The configuration of a client: from arguments, environment variables and a TOML profile to checked, loaded values.

Read ``options`` first, the list of all settings, then ``settings``, which merges and checks them. ``sources`` reads the
three sources; ``credentials``, ``brand``, ``platform_keys`` and ``connections`` each check one group; ``secrets`` masks
secret values, ``redaction`` shows values in errors, ``file_permissions`` warns of readable secret files, and
``spec_folders`` stays light, because ``import wxpay_dsl`` loads it. Imports core and wechat.
"""
