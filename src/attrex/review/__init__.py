"""People decide, the model learns: cells that a person should look at, in a store that several people share.

`collecting.py` chooses them from what a fill run made of a table, `store.py` hands them out and keeps every decision,
`estimate.py` says how right the sure ones are, and `verdicts.py` makes labels of the decisions.
"""
