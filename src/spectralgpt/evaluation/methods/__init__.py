"""Read-outs that are fitted to frozen features: one file each, with a `METHOD`."""
