# distutils: sources = media_core/native/link.c media_core/native/audiosocket.c
"""One AudioSocket connection in the engine's hands.

Made by `Session.link()`, which keeps it alive while the media thread reads and writes it.
"""

cimport cython

import os

cdef extern from "<unistd.h>" nogil:
    int close_descriptor "close"(int descriptor)

cdef int links = 0


def open_links():
    """Count those that have not been closed."""
    return links


@cython.final
cdef class Link:
    """A connected TCP socket; the media thread uses a descriptor of its own."""

    def __cinit__(self, sock, pm_codec_name codec, bint keys):
        global links
        self._descriptor = -1
        self._descriptor = os.dup(sock.fileno())
        links += 1
        pm_link_init(&self.native, self._descriptor, codec, keys)

    def __dealloc__(self):
        self.close()

    cdef int close(self) except -1:
        """Give the descriptor back. May be called twice."""
        global links
        if self._descriptor >= 0:
            close_descriptor(self._descriptor)
            self._descriptor = -1
            links -= 1
        return 0
