/* The media engine: any number of calls on one thread, one UDP port for all of them.
 *
 *   session.h    one call: from datagrams to PCM and events, from what is played to packets; codec.h
 *   slab.h       all sessions and their handles; address.h finds one by the address of its peer
 *   playout.h    what waits to be played; rx_ring.h what was heard; tap.h both for a recording
 *   engine_events.h, ring.h     what Python is told, without locks
 *   datagrams.h  64 datagrams per system call; link.h an AudioSocket connection; feed.h what others have received
 *   histogram.h  how late, how long
 *
 *   pm_engine_make, pm_engine_unmake      all memory at once; none is allocated afterwards
 *   pm_engine_start, pm_engine_stop       a thread that runs it (engine_thread.c)
 *   pm_engine_run                         the same by hand: everything that is due at a time
 *   pm_engine_obey                        the commands only, which running begins with
 *   pm_engine_open, _connect, _link, _feed, _tap, _close, _reap     the calls
 *   pm_engine_stats_of                    what it has counted
 *
 * Two threads. The media thread runs what is due: it alone touches sockets, slots and the media state of sessions, and
 * it never waits for the other one. The control thread (whoever calls anything but pm_engine_run; one at a time) opens
 * sessions, sends commands by a ring, and fetches events, audio and counts. Without pm_engine_start() both are one.
 *
 * 20 ms are divided into slots; each session belongs to one, so that packets leave in small groups, and the port is
 * read with every slot.
 */
#ifndef PM_ENGINE_H
#define PM_ENGINE_H

#include <pthread.h>
#include <sys/types.h>

#include "histogram.h"
#include "slab.h"

#define PM_SLOTS_MAX 10
/* Frames sent back to back after a stall; what is older than that is accounted for, not sent in a heap. */
#define PM_BURST_FRAMES 2

typedef struct {
    uint32_t capacity; /* calls at once */
    uint32_t slots;    /* that 20 ms are divided into: 1 to PM_SLOTS_MAX */
    uint32_t events;   /* that may wait for their reader */
    int socket;        /* UDP, non-blocking, bound; -1: every session brings its own */
    int event_fd;      /* written to whenever there are events; -1: none */
    uint64_t secret;   /* random */
} pm_engine_setup;

typedef enum { PM_COMMAND_CONNECT, PM_COMMAND_TAP, PM_COMMAND_CLOSE } pm_command_kind;

typedef struct {
    pm_command_kind kind;
    uint32_t session; /* number */
    pm_tap *tap;      /* NULL: let the recording end */
} pm_command;

/* Since the start. */
typedef struct {
    int64_t ticks;         /* slots that have been run */
    int64_t late_ticks;    /* more than 5 ms after their time */
    int64_t lost_ms;       /* time that no session knows of, because the thread stood still for more than 10 s */
    int64_t strangers;     /* datagrams from addresses that no session has */
    int64_t received;      /* datagrams on the engine's port */
    int64_t unsent;        /* packets that the kernel did not take */
    int64_t dropped_events;
    int64_t dropped_by_kernel; /* datagrams that were not fetched in time */
    int64_t running;       /* sessions that have a slot, now */
    int64_t busy_ns;       /* CPU time of the media thread */
} pm_engine_stats;

typedef struct pm_engine {
    pm_engine_setup setup;
    int64_t slot_ns;
    size_t memory_size;

    /* The control thread's. */
    pm_slab slab;
    pm_directory taken;   /* addresses that sessions have */
    pthread_t thread;
    pid_t process;        /* that the thread belongs to */
    bool started;
    bool real_time;       /* SCHED_FIFO was permitted */
    bool locked;          /* the memory cannot be paged out */

    /* Both threads'. */
    pm_ring command_ring;
    pm_command *commands;
    uint32_t command_capacity;
    pm_events events;
    pm_histogram lateness; /* from a slot's time to its beginning */
    pm_histogram duration; /* of what was due at once */
    _Atomic bool stopping;
    _Atomic int64_t ticks, late_ticks, lost_ms, strangers, received, unsent, running, busy_ns;
    _Atomic int64_t dropped_by_kernel; /* at the own ports of sessions that have ended */

    /* The media thread's. */
    pm_directory directory;
    int64_t next_ns;      /* when the next slot is due; 0 before the first */
    uint32_t next_slot;
    uint32_t slot_sizes[PM_SLOTS_MAX];
    uint32_t *slot_members[PM_SLOTS_MAX]; /* numbers of sessions */
    uint32_t receive_limit;
    int64_t now_ns;       /* of the run going on, or of the last one */
    uint64_t ended;       /* sessions that it has let go of */
    uint64_t news_signalled;
    pm_inbox inbox;
    pm_inbox own_inbox;   /* for sessions with a socket of their own */
    pm_outbox outbox;
} pm_engine;

/* NULL: no memory, or a number makes no sense. */
pm_engine *pm_engine_make(const pm_engine_setup *setup);

/* Stopped before. Sockets and event_fd stay open: they are the caller's. */
void pm_engine_unmake(pm_engine *engine);

/* core: -1 for any. priority: of SCHED_FIFO, 0 for none. Returns 0 or an errno; no permission for SCHED_FIFO is no
 * error, see real_time. */
int pm_engine_start(pm_engine *engine, int core, int priority);

/* Returns when the thread has ended and all commands are obeyed; sessions stay as they are. */
void pm_engine_stop(pm_engine *engine);

/* Run every slot that is due at now_ns on the engine's clock. Returns when the next one is. */
int64_t pm_engine_run(pm_engine *engine, int64_t now_ns);

/* Carry out the commands that wait; not while the thread runs. */
void pm_engine_obey(pm_engine *engine);

/* NULL: full, see pm_slab_open(). */
pm_session *pm_engine_open(pm_engine *engine, const pm_session_setup *setup);

typedef enum { PM_CONNECTED, PM_ADDRESS_TAKEN, PM_ADDRESS_BAD, PM_ENGINE_STUCK } pm_connect_result;

/* Start the media with this peer. Once for each session. */
pm_connect_result pm_engine_connect(pm_engine *engine, pm_session *session, const pm_socket_address *peer);

/* Start the media over a connection, or with what is handed over, in place of a peer's packets. The link and the feed must
 * live until pm_engine_reap() returns the session's number. False: the media thread does not obey commands. */
bool pm_engine_link(pm_engine *engine, pm_session *session, pm_link *link);
bool pm_engine_feed(pm_engine *engine, pm_session *session, pm_feed *feed);

/* Record into a tap, until another NULL. False: the media thread does not obey commands. */
bool pm_engine_tap(pm_engine *engine, pm_session *session, pm_tap *tap);

/* The handle is void from now on. What the session refers to (audio, a tap, a link, a feed, its own socket) must live until
 * pm_engine_reap() returns its number. */
void pm_engine_close(pm_engine *engine, pm_session *session);

/* A number whose session the media thread has let go of, or PM_NO_SESSION. */
uint32_t pm_engine_reap(pm_engine *engine);

pm_engine_stats pm_engine_stats_of(pm_engine *engine);

#endif
