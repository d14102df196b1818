"""Static types of the chain, generated from specs: those of the package at build time, a user's by ``wxpay stubs``.

``files`` writes them; ``core.typing`` generates their text. Imports core, wechat and the client.
"""
