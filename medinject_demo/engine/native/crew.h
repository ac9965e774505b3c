/* Threads that go through the same code and wait for each other at its barriers.

OpenMP's own barrier sleeps at once where a process has more threads than processors, as one with PyTorch in it has:
twenty microseconds each, a hundred times a step. This one turns in place for as long as the others can be expected
soon, then sleeps, so that a thread that has lost its processor gets it back. Knows nothing of what the threads do. */

#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#define PATIENCE 2000 /* turns before a thread sleeps: some 40 microseconds, about what waking up takes */

typedef int64_t whole;

typedef struct {
    whole size;
    atomic_int arrived, turn, asleep;
    atomic_llong slept; /* nanoseconds of all */
} Crew;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Sleep until `turn` is another than `seen`, or may be. */
static void sleep_on(atomic_int *turn, int seen) {
#if defined(__linux__)
    syscall(SYS_futex, turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
#else
    (void)turn, (void)seen;
    sched_yield();
#endif
}

static void wake_all(atomic_int *turn) {
#if defined(__linux__)
    syscall(SYS_futex, turn, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void)turn;
#endif
}

static void together(Crew *crew) {
    int turn = atomic_load(&crew->turn);
    if (atomic_fetch_add(&crew->arrived, 1) + 1 == crew->size) {
        atomic_store(&crew->arrived, 0);
        atomic_store(&crew->turn, turn + 1);
        if (atomic_load(&crew->asleep)) wake_all(&crew->turn);
        return;
    }
    for (int turns = 0; turns < PATIENCE; turns++) {
        if (atomic_load_explicit(&crew->turn, memory_order_acquire) != turn) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    long long since = now();
    atomic_fetch_add(&crew->asleep, 1);
    while (atomic_load(&crew->turn) == turn) sleep_on(&crew->turn, turn);
    atomic_fetch_sub(&crew->asleep, 1);
    atomic_fetch_add(&crew->slept, now() - since);
}

/* A loop over those of `count` things that are this thread's to do. */
#define MINE(item, count)                                                                  \
    (whole item = work->hand * (count) / work->crew->size, item##s_end =                   \
         (work->hand + 1) * (count) / work->crew->size; item < item##s_end; item++)
