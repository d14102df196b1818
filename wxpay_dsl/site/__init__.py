"""The documentation site: a page for each path and each notification from the specs, guides, and the API reference."""
