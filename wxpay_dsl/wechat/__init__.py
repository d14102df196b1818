"""WeChat Pay's vocabulary: signatures, ciphers, XML, keys and whatever else is its own. No I/O."""
