"""Measuring on one's own machine: speed and memory."""
