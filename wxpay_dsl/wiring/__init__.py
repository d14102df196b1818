"""Assembles a working client from settings, the framework and the vocabulary.

Read ``client`` first: ``assemble`` makes all parts of a client; ``v2`` makes those of APIv2, ``brand`` those of
品牌直连. Imports core, wechat and settings.
"""
