"""A catalogue as shards: each is read, extracted, named and filled in one pass, and is one output file.

``task`` is what becomes of a shard, ``folder`` and ``manifest`` what is kept of it, ``local`` and ``ray`` who runs
them; ``job`` decides which are to run, ``merging`` puts them together.
"""
