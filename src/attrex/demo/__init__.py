"""The main job on a catalogue drawn for it, and the catalogue."""
