/* Products of a layer's weights with the few tokens of a batch.

Tokens lie in panels, side by side for each input: a vector holds one input of several tokens and meets one weight at a
time. Each number of a product is therefore summed input by input, in the order in which they come: whoever shares the
batch, a token's bits stay what they are. Weights are read once, as they lie. */

#include "vectors.h"

#if defined(__AVX512F__) || defined(__aarch64__)
#define OUTS 8 /* outputs at once, so that twice as many vectors fit the processor's 32 */
#else
#define OUTS 4
#endif
#define PANEL (2 * LANES) /* tokens of a panel; the last is as narrow as holds what is left */
#define PIECE 512         /* inputs at once */

/* A matrix as a model is stored: in fp32, or in bf16, which is the upper half of fp32's bits. */
typedef struct { const void *at; int half; } Weights;

INLINE const void *number(Weights weights, long place) {
    return (const char *)weights.at + place * (weights.half ? 2 : 4);
}
INLINE Weights beyond(Weights weights, long place) { return (Weights){number(weights, place), weights.half}; }

/* Volatile, so that vectors are shifted: of a constant, a compiler shifts one number and then moves it to a vector. */
static const volatile int SHIFT[16] ALIGNED = {[0 ... 15] = 16}, UPPER[16] ALIGNED = {[0 ... 15] = -65536};

/* y (OUTS, y_step) += W (OUTS, w_step) x (inputs, COUNT * lanes of VEC), while the outputs that follow are asked for;
   of numbers in bf16, two inputs are read at once. */
#define KERNEL(NAME, VEC, INTS, COUNT)                                                                                 \
    INLINE void NAME##_w(const int half, Weights w, long w_step, const float *x, long inputs, float *y, long y_step) {\
        const INTS shift = *(const volatile INTS *)SHIFT, upper = *(const volatile INTS *)UPPER;                       \
        VEC each[OUTS][COUNT], given[2 * COUNT];                                                                       \
        UNROLLED for (int out = 0; out < OUTS; out++)                                                                  \
            UNROLLED for (int one = 0; one < COUNT; one++) each[out][one] = ((const VEC *)(y + out * y_step))[one];    \
        for (long input = 0; input < inputs; input += 1 + half) {                                                      \
            if (input % (half ? LINE / 2 : LINE / 4) == 0)                                                             \
                UNROLLED for (int out = 0; out < OUTS; out++)                                                          \
                    __builtin_prefetch(number(w, (OUTS + out) * w_step + input), 0, SECOND_CACHE);                     \
            UNROLLED for (int one = 0; one < COUNT + half * COUNT; one++)                                              \
                given[one] = ((const VEC *)x)[input * COUNT + one];                                                    \
            UNROLLED for (int out = 0; out < OUTS; out++) {                                                            \
                const void *at = number(w, out * w_step + input);                                                      \
                if (!half) {                                                                                           \
                    UNROLLED for (int one = 0; one < COUNT; one++) each[out][one] += given[one] * *(const float *)at;  \
                } else {                                                                                               \
                    INTS both = (INTS){0} + *(const pair *)at;                                                         \
                    UNROLLED for (int one = 0; one < COUNT; one++) each[out][one] += given[one] * (VEC)(both << shift);\
                    UNROLLED for (int one = 0; one < COUNT; one++)                                                     \
                        each[out][one] += given[COUNT + one] * (VEC)(both & upper);                                    \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        UNROLLED for (int out = 0; out < OUTS; out++)                                                                  \
            UNROLLED for (int one = 0; one < COUNT; one++) ((VEC *)(y + out * y_step))[one] = each[out][one];          \
    }                                                                                                                  \
    static void NAME(Weights w, long w_step, const float *x, long inputs, float *y, long y_step) {                     \
        if (w.half) NAME##_w(1, (Weights){w.at, 1}, w_step, x, inputs, y, y_step);                                     \
        else NAME##_w(0, (Weights){w.at, 0}, w_step, x, inputs, y, y_step);                                            \
    }

KERNEL(four, vec4, ivec4, 1)
#if LANES > 4
KERNEL(eight, vec8, ivec8, 1)
#endif
#if LANES > 8
KERNEL(sixteen, vec16, ivec16, 1)
#endif
KERNEL(full, vec, ivec, 2)

/* Tokens that a panel has room for, of which so many are left. */
INLINE long wide(long left) { return left <= 4 ? 4 : left <= 8 ? 8 : left <= 16 && LANES > 8 ? 16 : PANEL; }

/* y (outs, y_step) += W (outs, w_step) x (inputs, width); `outs` is a multiple of OUTS, `inputs` even. */
static void product(Weights w, long w_step, long outs, const float *x, long width, long inputs, float *y, long y_step) {
    for (long out = 0; out < outs; out += OUTS, w = beyond(w, OUTS * w_step), y += OUTS * y_step) {
        if (width == 4) four(w, w_step, x, inputs, y, y_step);
#if LANES > 4
        else if (width == 8) eight(w, w_step, x, inputs, y, y_step);
#endif
#if LANES > 8
        else if (width == 16) sixteen(w, w_step, x, inputs, y, y_step);
#endif
        else full(w, w_step, x, inputs, y, y_step);
    }
}
