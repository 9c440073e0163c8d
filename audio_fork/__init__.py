"""A call's audio connection, over RTP, WebSocket or AudioSocket: blocks, events, playout with marks, a recording."""
