/* Vectors of fp32, as long as the processor has them that compiles this. Knows nothing of matrices. */

#include <math.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define LINE 64 /* bytes that memory gives at once */
#define ALIGNED __attribute__((aligned(LINE))) /* a vector that lies across two lines is read twice */
#define SECOND_CACHE 2 /* asked for ahead into the first, numbers hold up those that are there */
#define UNROLLED _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

#define VECTOR __attribute__((aligned(4), may_alias))
typedef float vec4 __attribute__((vector_size(16))) VECTOR;
typedef float vec8 __attribute__((vector_size(32))) VECTOR;
typedef float vec16 __attribute__((vector_size(64))) VECTOR;
typedef float vec __attribute__((vector_size(4 * LANES))) VECTOR;
typedef int ivec4 __attribute__((vector_size(16))) VECTOR;
typedef int ivec8 __attribute__((vector_size(32))) VECTOR;
typedef int ivec16 __attribute__((vector_size(64))) VECTOR;
typedef int ivec __attribute__((vector_size(4 * LANES))) VECTOR;
typedef int pair VECTOR; /* of numbers in bf16 */

INLINE vec load(const float *from) { return *(const vec *)from; }
INLINE void store(float *to, vec given) { *(vec *)to = given; }

INLINE vec chosen(ivec where, vec one, vec other) { return (vec)((where & (ivec)one) | (~where & (ivec)other)); }
INLINE vec larger(vec one, vec other) { return chosen(one > other, one, other); }

INLINE float added(vec each) {
    float sum = 0;
    UNROLLED for (int lane = 0; lane < LANES; lane++) sum += each[lane];
    return sum;
}

/* exp to two units in the last place between -87 and 88, where it is cut off. NaN stays NaN. */
INLINE vec exponential(vec x) {
    const vec least = (vec){0} - 87, most = (vec){0} + 88;
    x = chosen(x < least, least, x);
    x = chosen(x > most, most, x);
    vec shifted = x * 1.44269504f + 12582912.0f; /* its lowest bits are the power of two */
    vec power = shifted - 12582912.0f, rest = x - power * 0.693359375f + power * 2.12194440e-4f;
    vec series = rest * (1 / 5040.0f) + 1 / 720.0f;
    series = series * rest + 1 / 120.0f;
    series = series * rest + 1 / 24.0f;
    series = series * rest + 1 / 6.0f;
    series = series * rest + 0.5f;
    series = series * rest * rest + rest + 1;
    ivec scale = ((ivec)shifted << 23) + (127 << 23);
    return series * (vec)scale;
}
