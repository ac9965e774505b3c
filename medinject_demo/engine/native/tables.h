/* What a forward is given (laid out as in `tables.py`), and what its threads share. */

#include "crew.h"
#include "products.h"

typedef struct { const float *weight; float epsilon; } Norm;

typedef struct {
    const void *weight;      /* (outputs, inputs) */
    const float *bias;       /* (outputs) or null */
    const float *up, *scale; /* B (adapters, rank, outputs), s (slots, ...); null where no adapter changes it */
    whole outputs, member;   /* its columns of x A^T begin at member * rank */
} Linear;

typedef struct {
    const float *down; /* A of layers that share an input, (adapters, inputs, members * rank), or null */
    whole inputs, members;
    Linear to[3];
} Family;

typedef struct {
    Norm first, second, queries, keys; /* of heads where their weights are not null */
    Family joined, output, gated, down;
    float *past_keys, *past_values; /* (lines, kv_heads, room, width) */
    whole room;
} Layer;

typedef struct {
    const Layer *layers;
    whole count, hidden, heads, kv_heads, width, feed_forward, vocabulary, rank, scales;
    const void *embedding, *head; /* (vocabulary, hidden) */
    const float *cosines, *sines; /* (positions, width) */
    Norm norm;
    float scaling;
    whole half; /* 1 where layers, embedding and head are in bf16 */
} Model;

typedef struct {
    whole count, wanted; /* tokens; those at the end whose logits are wanted */
    const whole *tokens, *positions, *lines, *slots;
    float *logits;        /* (wanted, vocabulary) */
    whole *best, *finite; /* (wanted) */
    double idle;          /* of the time of all threads but one, the share that they slept: told at the end */
} Batch;

/* (tokens, width). */
typedef struct { float *at; whole width; } Rows;

/* What a layer is given, (inputs, tokens of a panel) for each panel. */
typedef struct { float *at; whole inputs; } Panels;

typedef struct {
    const Model *model;
    const Batch *batch;
    Crew *crew;
    whole hand;                  /* which of the crew this is */
    Rows stream, joined, low;    /* the residual stream; queries, keys and values; x A^T */
    Panels normed, said, active; /* what layers are given: by a norm, by attention, by the gate */
    float *roots, *shares, *own; /* of the norm, (tokens); of x A^T; room for this thread alone */
    whole *runs, run_count;      /* where runs of tokens of one slot begin, and the end; 0 where all are the base's */
} Work;

INLINE Weights weights_of(const Work *work, const void *at) { return (Weights){at, work->model->half}; }

INLINE float *row(Rows rows, whole token) { return rows.at + token * rows.width; }

/* A token's first input; the next is as many numbers further as its panel is wide. */
INLINE float *column(const Work *work, Panels panels, whole token, whole *width) {
    whole first = token / PANEL * PANEL;
    *width = wide(work->batch->count - first);
    return panels.at + first * panels.inputs + token - first;
}

INLINE whole fewer(whole one, whole other) { return one < other ? one : other; }
INLINE whole more(whole one, whole other) { return one > other ? one : other; }
INLINE whole rounded(whole count, whole multiple) { return (count + multiple - 1) / multiple * multiple; }
