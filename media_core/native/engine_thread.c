#define _GNU_SOURCE 1

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

#define STACK_OCTETS (512 * 1024)

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Without sessions one look at the commands per frame is enough. */
static void pass_idle_slots(pm_engine *engine) {
    if (atomic_load_explicit(&engine->running, memory_order_relaxed) > 0) return;
    uint32_t idle = engine->setup.slots - 1;
    engine->next_ns += idle * engine->slot_ns;
    engine->next_slot = (engine->next_slot + idle) % engine->setup.slots;
}

static void sleep_until(int64_t ns) {
    struct timespec then = {ns / 1000000000, ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR) continue;
}

static void *run(void *context) {
    pm_engine *engine = context;
    (void)prctl(PR_SET_NAME, "media engine");
    (void)prctl(PR_SET_TIMERSLACK, 1);
    engine->next_ns = 0;
    while (!atomic_load_explicit(&engine->stopping, memory_order_acquire)) {
        int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        pm_engine_run(engine, now_ns);
        pm_histogram_note(&engine->duration, clock_ns(CLOCK_MONOTONIC) - now_ns);
        atomic_store_explicit(&engine->busy_ns, clock_ns(CLOCK_THREAD_CPUTIME_ID), memory_order_relaxed);
        pass_idle_slots(engine);
        sleep_until(engine->next_ns);
    }
    return NULL;
}

/* Signals are for the interpreter's threads. */
static int create_deaf(pm_engine *engine, const pthread_attr_t *attributes) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&engine->thread, attributes, run, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static int prepare(pthread_attr_t *attributes, int core, int priority) {
    int failed = pthread_attr_setstacksize(attributes, STACK_OCTETS);
    if (failed == 0 && core >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        if (core >= CPU_SETSIZE) return EINVAL;
        CPU_SET(core, &cores);
        failed = pthread_attr_setaffinity_np(attributes, sizeof cores, &cores);
    }
    if (failed == 0 && priority > 0) {
        struct sched_param wanted = {.sched_priority = priority};
        failed = pthread_attr_setinheritsched(attributes, PTHREAD_EXPLICIT_SCHED);
        if (failed == 0) failed = pthread_attr_setschedpolicy(attributes, SCHED_FIFO);
        if (failed == 0) failed = pthread_attr_setschedparam(attributes, &wanted);
    }
    return failed;
}

static int start_with(pm_engine *engine, int core, int priority) {
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed != 0) return failed;
    failed = prepare(&attributes, core, priority);
    if (failed == 0) failed = create_deaf(engine, &attributes);
    pthread_attr_destroy(&attributes);
    return failed;
}

int pm_engine_start(pm_engine *engine, int core, int priority) {
    atomic_store_explicit(&engine->stopping, false, memory_order_relaxed);
    /* The engine's memory alone: to lock the whole process would pin what has nothing to do with time. */
    engine->locked = mlock(engine, engine->memory_size) == 0;
    engine->real_time = priority > 0;
    int failed = start_with(engine, core, priority);
    if (failed == EPERM && priority > 0) {
        engine->real_time = false;
        failed = start_with(engine, core, 0);
    }
    engine->started = failed == 0;
    engine->process = getpid();
    return failed;
}

void pm_engine_stop(pm_engine *engine) {
    if (!engine->started) return;
    engine->started = false;
    if (engine->process != getpid()) return; /* a fork: the thread stayed behind */
    atomic_store_explicit(&engine->stopping, true, memory_order_release);
    pthread_join(engine->thread, NULL);
    pm_engine_obey(engine);
}
