"""The documentation site: a page for each path and each notification of the specs, the guides, and the API reference.

Read :mod:`.build` first: it writes the Markdown pages and runs MkDocs. :mod:`.pages` and :mod:`.snippets` render the
specs, :mod:`.markup` escapes their texts, :mod:`.products` arranges the navigation, :mod:`.reference` lists the public
names, and :mod:`.hover` adds tooltips to the HTML. Imports from ``core``, ``wechat``, the client, and the sandbox's
examples.
"""
