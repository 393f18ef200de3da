"""The settings of the paper, as presets: `--preset mepave` and `--preset mae`."""
