"""Text on its way to a voice: cut into sentences, and written out as it is said. Pure, no I/O."""
