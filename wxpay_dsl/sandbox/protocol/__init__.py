"""HTTP as the service speaks it: from a request's bytes to the signed bytes of its response, for APIv3 and APIv2.

Read ``messages`` (the values) and then ``service`` (the steps: routing, authentication, validation, handler,
encryption, signature; ``v2`` has those of APIv2). ``listener`` owns the sockets; ``faults`` makes calls fail on
request; ``examples`` and ``examples_v2`` make responses from specs. It imports ``keys``, ``wxpay_dsl.core`` and
``wxpay_dsl.wechat``; what an operation does comes in as a handler.
"""
