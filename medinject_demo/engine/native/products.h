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

/* y (OUTS, y_step) += W (OUTS, w_step) x (inputs, COUNT * lanes of VEC). */
#define KERNEL(NAME, VEC, COUNT)                                                                                       \
    static void NAME(const float *w, long w_step, const float *x, long inputs, float *y, long y_step) {                \
        VEC each[OUTS][COUNT];                                                                                         \
        UNROLLED for (int out = 0; out < OUTS; out++)                                                                  \
            UNROLLED for (int one = 0; one < COUNT; one++) each[out][one] = ((const VEC *)(y + out * y_step))[one];    \
        for (long input = 0; input < inputs; input++) {                                                                \
            if (input % (LINE / 4) == 0) /* the outputs that follow */                                                 \
                UNROLLED for (int out = 0; out < OUTS; out++)                                                          \
                    __builtin_prefetch(w + (OUTS + out) * w_step + input, 0, SECOND_CACHE);                            \
            VEC given[COUNT];                                                                                          \
            UNROLLED for (int one = 0; one < COUNT; one++) given[one] = ((const VEC *)x)[input * COUNT + one];         \
            UNROLLED for (int out = 0; out < OUTS; out++)                                                              \
                UNROLLED for (int one = 0; one < COUNT; one++) each[out][one] += given[one] * w[out * w_step + input]; \
        }                                                                                                              \
        UNROLLED for (int out = 0; out < OUTS; out++)                                                                  \
            UNROLLED for (int one = 0; one < COUNT; one++) ((VEC *)(y + out * y_step))[one] = each[out][one];          \
    }

KERNEL(four, vec4, 1)
#if LANES > 4
KERNEL(eight, vec8, 1)
#endif
#if LANES > 8
KERNEL(sixteen, vec16, 1)
#endif
KERNEL(full, vec, 2)

/* Tokens that a panel has room for, of which so many are left. */
INLINE long wide(long left) { return left <= 4 ? 4 : left <= 8 ? 8 : left <= 16 && LANES > 8 ? 16 : PANEL; }

/* y (outs, y_step) += W (outs, w_step) x (inputs, width); `outs` is a multiple of OUTS. */
static void product(const float *w, long w_step, long outs, const float *x, long width, long inputs, float *y,
                    long y_step) {
    for (long out = 0; out < outs; out += OUTS, w += OUTS * w_step, y += OUTS * y_step) {
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
