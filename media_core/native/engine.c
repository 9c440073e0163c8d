#define _GNU_SOURCE 1

#include "engine.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAME_NS (PM_FRAME_MS * 1000000ll)
/* Time that the thread stood still for longer than this is lost to the sessions' clocks. */
#define MAX_BEHIND_NS 10000000000ll
/* A flood must not keep the sessions waiting: so many datagrams per slot beside those that the sessions expect. */
#define EXTRA_DATAGRAMS 256
/* More than a socket's receive buffer holds. */
#define MAX_STALE_DATAGRAMS 2048

/* --- making one ------------------------------------------------------------------------------------------- */

static size_t rounded(size_t octets) { return (octets + 63) / 64 * 64; }

static uint32_t commands_for(uint32_t capacity) { return 8 * capacity + 64; }

static size_t memory_for(const pm_engine_setup *setup) {
    uint32_t places = setup->capacity;
    return rounded(sizeof(pm_engine)) + pm_slab_memory(places) + 2 * rounded(pm_directory_memory(places)) +
           rounded(commands_for(places) * sizeof(pm_command)) + rounded(pm_events_memory(setup->events)) +
           setup->slots * rounded(places * sizeof(uint32_t));
}

static void *carve(uint8_t **rest, size_t octets) {
    void *piece = *rest;
    *rest += rounded(octets);
    return piece;
}

static void carve_all(pm_engine *engine, uint8_t *rest) {
    const pm_engine_setup *setup = &engine->setup;
    uint32_t capacity = setup->capacity;
    pm_slab_init(&engine->slab, capacity, carve(&rest, pm_slab_memory(capacity)));
    pm_directory_init(&engine->taken, capacity, setup->secret, carve(&rest, pm_directory_memory(capacity)));
    pm_directory_init(&engine->directory, capacity, setup->secret, carve(&rest, pm_directory_memory(capacity)));
    engine->command_capacity = commands_for(capacity);
    engine->commands = carve(&rest, engine->command_capacity * sizeof(pm_command));
    pm_events_init(&engine->events, setup->events, carve(&rest, pm_events_memory(setup->events)));
    for (uint32_t slot = 0; slot < setup->slots; slot++) {
        engine->slot_members[slot] = carve(&rest, capacity * sizeof(uint32_t));
    }
}

pm_engine *pm_engine_make(const pm_engine_setup *setup) {
    if (setup->capacity < 1 || setup->capacity > 1u << 20) return NULL;
    if (setup->slots < 1 || setup->slots > PM_SLOTS_MAX || setup->events < 1) return NULL;
    size_t size = memory_for(setup);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    (void)madvise(memory, size, MADV_HUGEPAGE);
    pm_engine *engine = memory;
    engine->setup = *setup;
    engine->memory_size = size;
    engine->slot_ns = FRAME_NS / setup->slots;
    engine->receive_limit = EXTRA_DATAGRAMS + setup->capacity;
    carve_all(engine, (uint8_t *)memory + rounded(sizeof *engine));
    pm_inbox_init(&engine->inbox);
    pm_inbox_init(&engine->own_inbox);
    pm_outbox_init(&engine->outbox);
    if (setup->socket >= 0) pm_socket_prepare(setup->socket, setup->capacity);
    return engine;
}

void pm_engine_unmake(pm_engine *engine) { (void)munmap(engine, engine->memory_size); }

/* --- counting --------------------------------------------------------------------------------------------- */

static void count(_Atomic int64_t *counter, int64_t more) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static int64_t counted(_Atomic int64_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

static int64_t dropped_at(int socket) { return socket < 0 ? 0 : (int64_t)pm_socket_dropped(socket); }

pm_engine_stats pm_engine_stats_of(pm_engine *engine) {
    return (pm_engine_stats){
        .ticks = counted(&engine->ticks),
        .late_ticks = counted(&engine->late_ticks),
        .lost_ms = counted(&engine->lost_ms),
        .strangers = counted(&engine->strangers),
        .received = counted(&engine->received),
        .unsent = counted(&engine->unsent),
        .dropped_events = (int64_t)atomic_load_explicit(&engine->events.dropped, memory_order_relaxed),
        .dropped_by_kernel = counted(&engine->dropped_by_kernel) + dropped_at(engine->setup.socket),
        .running = counted(&engine->running),
        .busy_ns = counted(&engine->busy_ns),
    };
}

/* --- control thread --------------------------------------------------------------------------------------- */

/* Each session can always be closed: the last places are kept for that. */
static bool command(pm_engine *engine, pm_command wanted) {
    uint64_t kept = wanted.kind == PM_COMMAND_CLOSE ? 0 : engine->slab.places;
    if (pm_ring_room(&engine->command_ring, engine->command_capacity) <= kept) return false;
    engine->commands[pm_ring_next_written(&engine->command_ring) % engine->command_capacity] = wanted;
    pm_ring_wrote(&engine->command_ring, 1);
    return true;
}

pm_session *pm_engine_open(pm_engine *engine, const pm_session_setup *setup) {
    return pm_slab_open(&engine->slab, setup);
}

pm_connect_result pm_engine_connect(pm_engine *engine, pm_session *session, const pm_socket_address *peer) {
    session->peer = *peer;
    if (!pm_address_of(&peer->any, &session->peer_address)) return PM_ADDRESS_BAD;
    bool shared = pm_session_shares_port(session);
    if (shared && !pm_directory_add(&engine->taken, &session->peer_address, session->number)) return PM_ADDRESS_TAKEN;
    if (command(engine, (pm_command){.kind = PM_COMMAND_CONNECT, .session = session->number})) return PM_CONNECTED;
    if (shared) pm_directory_remove(&engine->taken, &session->peer_address);
    return PM_ENGINE_STUCK;
}

bool pm_engine_link(pm_engine *engine, pm_session *session, pm_link *link) {
    session->link = link;
    if (command(engine, (pm_command){.kind = PM_COMMAND_CONNECT, .session = session->number})) return true;
    session->link = NULL;
    return false;
}

bool pm_engine_feed(pm_engine *engine, pm_session *session, pm_feed *feed) {
    session->feed = feed;
    if (command(engine, (pm_command){.kind = PM_COMMAND_CONNECT, .session = session->number})) return true;
    session->feed = NULL;
    return false;
}

bool pm_engine_tap(pm_engine *engine, pm_session *session, pm_tap *tap) {
    return command(engine, (pm_command){.kind = PM_COMMAND_TAP, .session = session->number, .tap = tap});
}

void pm_engine_close(pm_engine *engine, pm_session *session) {
    if (pm_directory_find(&engine->taken, &session->peer_address) == session->number) {
        pm_directory_remove(&engine->taken, &session->peer_address);
    }
    (void)command(engine, (pm_command){.kind = PM_COMMAND_CLOSE, .session = session->number});
    pm_slab_close(&engine->slab, session);
}

uint32_t pm_engine_reap(pm_engine *engine) { return pm_slab_reap(&engine->slab); }

/* --- media thread: commands ------------------------------------------------------------------------------- */

/* The slot with the fewest sessions; of equals the one that is due first. */
static uint32_t slot_for_another(const pm_engine *engine) {
    uint32_t best = engine->next_slot;
    for (uint32_t ahead = 1; ahead < engine->setup.slots; ahead++) {
        uint32_t slot = (engine->next_slot + ahead) % engine->setup.slots;
        if (engine->slot_sizes[slot] < engine->slot_sizes[best]) best = slot;
    }
    return best;
}

/* Throw away what came before there was a peer: nobody can say whose it is. */
static void discard_waiting(pm_engine *engine, int socket) {
    for (int left = MAX_STALE_DATAGRAMS; left > 0; left--) {
        engine->own_inbox.most = left < PM_BATCH ? left : PM_BATCH;
        if (pm_inbox_next(&engine->own_inbox, socket, 0) == NULL) return;
        pm_inbox_take(&engine->own_inbox);
    }
}

static void connect_session(pm_engine *engine, pm_session *session) {
    uint32_t slot = slot_for_another(engine);
    session->running = true;
    session->connected_ns = engine->now_ns;
    session->slot = slot;
    session->place = engine->slot_sizes[slot]++;
    engine->slot_members[slot][session->place] = session->number;
    count(&engine->running, 1);
    if (pm_session_shares_port(session)) {
        (void)pm_directory_add(&engine->directory, &session->peer_address, session->number);
    } else if (session->setup.own_socket >= 0) {
        pm_socket_prepare(session->setup.own_socket, 1);
        discard_waiting(engine, session->setup.own_socket);
    }
}

static void end_session(pm_engine *engine, pm_session *session) {
    pm_session_end_tap(session, &engine->events);
    if (session->link != NULL) pm_link_hang_up(session->link);
    if (session->running) {
        uint32_t *members = engine->slot_members[session->slot];
        uint32_t last = members[--engine->slot_sizes[session->slot]];
        members[session->place] = last;
        engine->slab.sessions[last].place = session->place;
        session->running = false;
        count(&engine->running, -1);
        if (pm_session_shares_port(session)) pm_directory_remove(&engine->directory, &session->peer_address);
    }
    count(&engine->dropped_by_kernel, dropped_at(session->setup.own_socket));
    engine->ended++;
    atomic_store_explicit(&session->ended, true, memory_order_release);
}

void pm_engine_obey(pm_engine *engine) {
    for (uint64_t waiting = pm_ring_waiting(&engine->command_ring); waiting > 0; waiting--) {
        uint64_t next = pm_ring_next_read(&engine->command_ring);
        pm_command wanted = engine->commands[next % engine->command_capacity];
        pm_session *session = &engine->slab.sessions[wanted.session];
        switch (wanted.kind) {
            case PM_COMMAND_CONNECT: connect_session(engine, session); break;
            case PM_COMMAND_TAP:
                pm_session_end_tap(session, &engine->events);
                session->tap = wanted.tap;
                break;
            case PM_COMMAND_CLOSE: end_session(engine, session); break;
        }
        pm_ring_read(&engine->command_ring, 1);
    }
}

/* --- media thread: one slot ------------------------------------------------------------------------------- */

/* Take what has come to the engine's port up to this time; later datagrams wait for the slots still to be run. */
static void receive(pm_engine *engine, int64_t latest_ns, int64_t now_ns) {
    int64_t taken = 0;
    int64_t strangers = 0;
    while (taken < engine->receive_limit) {
        const pm_datagram *datagram = pm_inbox_next(&engine->inbox, engine->setup.socket, now_ns);
        if (datagram == NULL || datagram->arrived_ns > latest_ns) break;
        uint32_t number = pm_directory_find(&engine->directory, &datagram->sender);
        pm_session *session = number == PM_NO_SESSION ? NULL : &engine->slab.sessions[number];
        if (session == NULL || datagram->arrived_ns < session->connected_ns) {
            strangers++;
        } else {
            pm_session_hear(session, datagram, &engine->events);
        }
        pm_inbox_take(&engine->inbox);
        taken++;
    }
    count(&engine->received, taken);
    count(&engine->strangers, strangers);
}

/* The same for a session's own port: with its beat, and one by one where time is being caught up. No more is fetched than
 * is taken: all such sessions share the inbox, and what stayed in it would be heard in the next one's call. */
static void receive_own(pm_engine *engine, pm_session *session, int64_t latest_ns, int64_t now_ns) {
    int socket = session->setup.own_socket;
    bool catching_up = latest_ns < now_ns;
    for (int left = PM_BATCH; left > 0; left--) {
        engine->own_inbox.most = catching_up ? 1 : left;
        if (catching_up && pm_socket_oldest(socket, now_ns) > latest_ns) return;
        const pm_datagram *datagram = pm_inbox_next(&engine->own_inbox, socket, now_ns);
        if (datagram == NULL) return;
        if (pm_address_same(&datagram->sender, &session->peer_address)) {
            pm_session_hear(session, datagram, &engine->events);
        } else {
            session->counts.strangers++;
        }
        pm_inbox_take(&engine->own_inbox);
    }
}

/* What comes to this session and no other. */
static void receive_alone(pm_engine *engine, pm_session *session, int64_t latest_ns, int64_t now_ns) {
    if (session->link != NULL) {
        pm_session_hear_link(session, latest_ns, latest_ns < now_ns, &engine->events);
    } else if (session->feed != NULL) {
        pm_session_hear_feed(session, latest_ns);
    } else if (session->setup.own_socket >= 0) {
        receive_own(engine, session, latest_ns, now_ns);
    }
}

static void packet_refused(void *context, uint32_t number) {
    pm_engine *engine = context;
    pm_session *session = &engine->slab.sessions[number];
    session->counts.sent--;
    session->counts.unsent++;
    count(&engine->unsent, 1);
}

/* The session at a place of the next slot, or the last one. */
static pm_session *member(const pm_engine *engine, uint32_t place) {
    uint32_t last = engine->slot_sizes[engine->next_slot] - 1;
    return &engine->slab.sessions[engine->slot_members[engine->next_slot][place < last ? place : last]];
}

static void run_slot(pm_engine *engine, int64_t now_ns) {
    int64_t due_ns = engine->next_ns;
    bool newest = due_ns + engine->slot_ns > now_ns;
    int64_t latest_ns = newest ? now_ns : due_ns;
    pm_beat beat = {
        .events = &engine->events,
        .outbox = &engine->outbox,
        .socket = engine->setup.socket,
        .refused = packet_refused,
        .context = engine,
        .behind_ns = now_ns - due_ns,
        .sending = now_ns - due_ns < PM_BURST_FRAMES * FRAME_NS,
    };
    if (engine->setup.socket >= 0) receive(engine, latest_ns, now_ns);
    for (uint32_t place = 0; place < engine->slot_sizes[engine->next_slot]; place++) {
        pm_session *session = member(engine, place);
        pm_session_approach_audio(member(engine, place + 1));
        pm_session_approach(member(engine, place + 2));
        if (session->beats == 0) atomic_store_explicit(&session->start_ns, due_ns, memory_order_relaxed);
        receive_alone(engine, session, latest_ns, now_ns);
        pm_session_beat(session, &beat);
    }
    if (engine->outbox.count > 0) pm_outbox_flush(&engine->outbox, engine->setup.socket, packet_refused, engine);
}

/* --- media thread: time ----------------------------------------------------------------------------------- */

static void note_lateness(pm_engine *engine, int64_t late_ns, int64_t slots) {
    pm_histogram_note(&engine->lateness, late_ns);
    if (late_ns <= PM_LATE_NS) return;
    count(&engine->late_ticks, 1);
    pm_events_tell(&engine->events, &(pm_engine_event){.kind = PM_LATE_TICK,
                                                       .value = late_ns / 1000,
                                                       .samples = (int32_t)slots});
}

/* For events, and for sessions that have ended: the reader gives back what belonged to them. */
static void signal_events(pm_engine *engine) {
    uint64_t news = pm_ring_next_written(&engine->events.ring) + engine->ended;
    if (news == engine->news_signalled || engine->setup.event_fd < 0) return;
    engine->news_signalled = news;
    uint64_t one = 1;
    /* It fails only where its count is full, and then the reader is being woken already. */
    (void)!write(engine->setup.event_fd, &one, sizeof one);
}

/* Let this much time be none for the sessions. */
static void lose(pm_engine *engine, int64_t lost_ns) {
    count(&engine->lost_ms, lost_ns / 1000000);
    engine->next_ns += lost_ns;
    for (uint32_t slot = 0; slot < engine->setup.slots; slot++) {
        for (uint32_t place = 0; place < engine->slot_sizes[slot]; place++) {
            pm_session *session = &engine->slab.sessions[engine->slot_members[slot][place]];
            int64_t start_ns = pm_session_start(session) + lost_ns;
            atomic_store_explicit(&session->start_ns, start_ns, memory_order_relaxed);
        }
    }
}

int64_t pm_engine_run(pm_engine *engine, int64_t now_ns) {
    int64_t slots = 0;
    engine->now_ns = now_ns;
    pm_engine_obey(engine);
    if (engine->next_ns == 0) engine->next_ns = now_ns;
    int64_t late_ns = now_ns - engine->next_ns;
    if (late_ns > MAX_BEHIND_NS) lose(engine, late_ns);
    while (engine->next_ns <= now_ns) {
        run_slot(engine, now_ns);
        engine->next_ns += engine->slot_ns;
        engine->next_slot = (engine->next_slot + 1) % engine->setup.slots;
        slots++;
    }
    count(&engine->ticks, slots);
    if (slots > 0) note_lateness(engine, late_ns, slots);
    signal_events(engine);
    return engine->next_ns;
}
