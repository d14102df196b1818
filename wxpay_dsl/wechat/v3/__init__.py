"""APIv3: JSON over HTTP, signed in headers (签名串, ``Authorization``), and its brand variant (品牌直连).

Read :mod:`.middleware` first: it signs each attempt of a call and verifies the response, with the messages of
:mod:`.signing`, the header of :mod:`.authorization` and the checks of :mod:`.verification`. :mod:`.dialect` is what the
framework needs to encode and decode calls. Imports ``core``, ``wechat.crypto`` and modules before it.
"""
