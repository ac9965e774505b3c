/* Threads that go through the same code and wait for each other at its barriers.

OpenMP's own barrier sleeps as soon as a process has more threads than processors, as one with PyTorch in it has: twenty
microseconds each, a hundred times a step. This one turns in place, and lets others have the processor when that takes
long. Knows nothing of what the threads do. */

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define PATIENCE 4096 /* turns before others may have the processor */

typedef int64_t whole;

typedef struct {
    whole size;
    atomic_long arrived, turn;
} Crew;

static void together(Crew *crew) {
    long turn = atomic_load(&crew->turn);
    if (atomic_fetch_add(&crew->arrived, 1) + 1 == crew->size) {
        atomic_store(&crew->arrived, 0);
        atomic_store(&crew->turn, turn + 1);
        return;
    }
    for (long turns = 1; atomic_load_explicit(&crew->turn, memory_order_acquire) == turn; turns++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        if (turns % PATIENCE == 0) sched_yield();
    }
}

/* A loop over those of `count` things that are this thread's to do. */
#define MINE(item, count)                                                                  \
    (whole item = work->hand * (count) / work->crew->size, item##s_end =                   \
         (work->hand + 1) * (count) / work->crew->size; item < item##s_end; item++)
