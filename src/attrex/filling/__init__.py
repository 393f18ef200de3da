"""From values found in texts to a filled table: the shop's words for them (:mod:`names`), its cells (:mod:`fill`)."""
