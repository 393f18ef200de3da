"""The systems that the paper compares with: one short file each, behind the interface of ULS-DRAM.

Each docstring says what is done otherwise than published. For all of them alike, optimisation is that of the `training`
section and dropout is `decoder.dropout` (but for MAE-model's), so that a comparison is one of methods; `decoder.hidden:
null` gives each the size that it was published with.
"""
