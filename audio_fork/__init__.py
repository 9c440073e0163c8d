"""A call's audio connection: RTP from and to the PBX becomes blocks, events and playout with marks, and a recording."""
