"""The systems that the paper compares ULS-DRAM with, and the paper's presets, as plug-ins of Attrex."""
