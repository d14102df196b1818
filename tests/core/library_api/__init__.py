"""A public library's little API: unsigned JSON, specs and a server of its own. It runs through the framework alone."""
