"""The service: a model behind HTTP, for shops' own programs and for people. Loaded by `attrex serve` alone."""
