"""The systems that the paper compares with: one short file each, behind the interface of ULS-DRAM."""
