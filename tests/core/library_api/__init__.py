"""A small API, that of a public library: specs, a server, and a client made of core alone."""
