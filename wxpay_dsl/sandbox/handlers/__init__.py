"""APIv3's operations with a life of their own: each module gives its handlers, by ``VERB /path``."""
