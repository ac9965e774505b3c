/* Linear layers: y = s (x W^T) + b + (x A^T) B, each token by its own slot; in slot 0, s is 1, and A and B nothing. */

#include "tables.h"

#define TILE 64    /* outputs of a layer at once */
#define TOKENS 64  /* tokens at once; a multiple of PANEL */
#define SHARE 128  /* inputs of x A^T at once */
#define FEW 4      /* tokens of one slot at once */
#define ABREAST 3  /* vectors of a token's x A^T at once: all of three layers' that share an input, at rank 16 */
#define AHEAD 1024 /* numbers of A that are asked for before they are needed */

INLINE whole pieces(whole inputs) { return (inputs + SHARE - 1) / SHARE; }

/* Some vectors of a share of x A^T for a few tokens of one slot; how many is known when this is compiled. */
INLINE void lowered(const int few, const int vectors, const float *x, whole x_step, const float *down, whole columns,
                    whole inputs, float *to, whole to_step) {
    vec each[FEW][ABREAST] = {{{0}}};
    for (whole input = 0; input < inputs; input++)
        UNROLLED for (int one = 0; one < vectors; one++) {
            const float *at = down + input * columns + one * LANES;
            __builtin_prefetch(at + AHEAD, 0, SECOND_CACHE);
            vec weights = load(at);
            UNROLLED for (int token = 0; token < few; token++) each[token][one] += weights * x[input * x_step + token];
        }
    UNROLLED for (int token = 0; token < few; token++)
        UNROLLED for (int one = 0; one < vectors; one++) store(to + token * to_step + one * LANES, each[token][one]);
}

/* All columns of it: as many vectors at once as can be, so that A is read as it lies. */
INLINE void lowered_columns(const int few, const float *x, whole x_step, const float *down, whole columns,
                            whole inputs, float *to, whole to_step) {
    whole place = 0;
    for (; place + 3 * LANES <= columns; place += 3 * LANES)
        lowered(few, 3, x, x_step, down + place, columns, inputs, to + place, to_step);
    for (; place + 2 * LANES <= columns; place += 2 * LANES)
        lowered(few, 2, x, x_step, down + place, columns, inputs, to + place, to_step);
    for (; place < columns; place += LANES)
        lowered(few, 1, x, x_step, down + place, columns, inputs, to + place, to_step);
}

/* The same for all tokens of a run. */
static void lowered_run(const Work *work, const Family *family, Panels x, whole run, whole share, whole shares) {
    whole slot = work->batch->slots[work->runs[run]], until = work->runs[run + 1];
    whole from = share * SHARE, inputs = fewer(SHARE, family->inputs - from);
    whole columns = family->members * work->model->rank, step = shares * columns;
    if (!slot) return;
    const float *down = family->down + ((slot - 1) * family->inputs + from) * columns;
    for (whole token = work->runs[run], few, x_step; token < until; token += few) {
        const float *given = column(work, x, token, &x_step) + from * x_step;
        float *to = work->shares + token * step + share * columns;
        few = fewer(until, (token / PANEL + 1) * PANEL) - token < FEW ? 1 : FEW;
        if (few == FEW) lowered_columns(FEW, given, x_step, down, columns, inputs, to, step);
        else lowered_columns(1, given, x_step, down, columns, inputs, to, step);
    }
}

/* x A^T of layers that share an input, (tokens, members * rank): in shares of the inputs, then added up. */
static void low(const Work *work, const Family *family, Panels x) {
    if (!family->down || !work->run_count) return;
    whole columns = family->members * work->model->rank, shares = pieces(family->inputs);
    for MINE(item, shares * work->run_count)
        lowered_run(work, family, x, item / shares, item % shares, shares);
    together(work->crew);
    for MINE(token, work->batch->count)
        for (whole place = 0; work->batch->slots[token] && place < columns; place += LANES) {
            vec sum = {0};
            for (whole share = 0; share < shares; share++)
                sum += load(work->shares + (token * shares + share) * columns + place);
            store(row(work->low, token) + place, sum);
        }
    together(work->crew);
}

/* Ask for B of the slots in use, the columns of one tile. */
static void expected(const Work *work, const Linear *layer, whole output, whole outputs) {
    whole rank = work->model->rank;
    for (whole run = 0; layer->up && run < work->run_count; run++) {
        whole slot = work->batch->slots[work->runs[run]];
        if (!slot) continue;
        const float *up = layer->up + (slot - 1) * rank * layer->outputs + output;
        for (whole inner = 0; inner < rank; inner++)
            for (whole place = 0; place < outputs; place += LINE / 4)
                __builtin_prefetch(up + inner * layer->outputs + place, 0, SECOND_CACHE);
    }
}

/* x W^T of up to TILE outputs for up to TOKENS tokens from `first` on, to (tokens, TILE). */
static void multiplied(const Work *work, Weights weights, Panels x, whole outputs, whole first, whole tokens,
                       float *to) {
    float sums[TILE * TOKENS] ALIGNED;
    memset(sums, 0, sizeof(float) * outputs * TOKENS);
    for (whole from = 0; from < x.inputs; from += PIECE)
        for (whole token = 0, width; token < tokens; token += PANEL) {
            const float *given = column(work, x, first + token, &width) + from * width;
            product(beyond(weights, from), x.inputs, outputs, given, width, fewer(PIECE, x.inputs - from),
                    sums + token, TOKENS);
        }
    for (whole token = 0; token < tokens; token++)
        for (whole output = 0; output < outputs; output++) to[token * TILE + output] = sums[output * TOKENS + token];
}

/* Some vectors of x W^T of a token to its outputs; how many is known when this is compiled. */
INLINE void adapted(const int vectors, const Work *work, const Linear *layer, whole token, whole output, float *to) {
    whole rank = work->model->rank, slot = layer->up ? work->batch->slots[token] : 0;
    const float *low = row(work->low, token) + layer->member * rank;
    const float *scale = slot ? layer->scale + slot * work->model->scales + output : 0;
    const float *up = slot ? layer->up + (slot - 1) * rank * layer->outputs + output : 0;
    vec each[4];
    UNROLLED for (int one = 0; one < vectors; one++) {
        each[one] = load(to + one * LANES);
        if (slot) each[one] *= load(scale + one * LANES);
        if (layer->bias) each[one] += load(layer->bias + output + one * LANES);
    }
    for (whole inner = 0; slot && inner < rank; inner++)
        UNROLLED for (int one = 0; one < vectors; one++)
            each[one] += low[inner] * load(up + inner * layer->outputs + one * LANES);
    UNROLLED for (int one = 0; one < vectors; one++) store(to + one * LANES, each[one]);
}

/* Up to TILE outputs of a layer for up to TOKENS tokens from `first` on, to (tokens, TILE). */
static void tile(const Work *work, const Linear *layer, Panels x, whole output, whole outputs, whole first,
                 whole tokens, float *to) {
    if (!first) expected(work, layer, output, outputs);
    multiplied(work, beyond(weights_of(work, layer->weight), output * x.inputs), x, outputs, first, tokens, to);
    for (whole token = 0; token < tokens; token++) {
        whole place = 0;
        for (; place + 4 * LANES <= outputs; place += 4 * LANES)
            adapted(4, work, layer, first + token, output + place, to + token * TILE + place);
        for (; place < outputs; place += LANES)
            adapted(1, work, layer, first + token, output + place, to + token * TILE + place);
    }
}

/* A layer's outputs, from the place `from` of rows on, set or added to what is there. */
static void linear(const Work *work, const Linear *layer, Panels x, Rows to, whole from, int add) {
    whole count = work->batch->count;
    for MINE(one, (layer->outputs + TILE - 1) / TILE) {
        float tiled[TOKENS * TILE] ALIGNED;
        whole output = one * TILE, outputs = fewer(TILE, layer->outputs - output);
        for (whole first = 0; first < count; first += TOKENS) {
            whole tokens = fewer(TOKENS, count - first);
            tile(work, layer, x, output, outputs, first, tokens, tiled);
            for (whole token = 0; token < tokens; token++)
                for (whole place = 0; place < outputs; place += LANES) {
                    float *target = row(to, first + token) + from + output + place;
                    store(target, load(tiled + token * TILE + place) + (add ? load(target) : (vec){0}));
                }
        }
    }
}

/* silu(gate) * up of a token, the outputs of one tile. */
static void gated_tile(const Work *work, whole token, whole output, whole outputs, const float *gates,
                       const float *ups) {
    whole width;
    float *to = column(work, work->active, token, &width) + output * width;
    for (whole place = 0; place < outputs; place += LANES) {
        vec gate = load(gates + place), active = gate / (1 + exponential(-gate)) * load(ups + place);
        UNROLLED for (int lane = 0; lane < LANES; lane++) to[(place + lane) * width] = active[lane];
    }
}

/* silu(gate) * up, to what the feed-forward's last layer is given. */
static void gated(const Work *work, const Family *family) {
    whole count = work->batch->count, size = work->active.inputs;
    for MINE(one, (size + TILE - 1) / TILE) {
        float gates[TOKENS * TILE] ALIGNED, ups[TOKENS * TILE] ALIGNED;
        whole output = one * TILE, outputs = fewer(TILE, size - output);
        for (whole first = 0; first < count; first += TOKENS) {
            whole tokens = fewer(TOKENS, count - first);
            tile(work, &family->to[0], work->normed, output, outputs, first, tokens, gates);
            tile(work, &family->to[1], work->normed, output, outputs, first, tokens, ups);
            for (whole token = 0; token < tokens; token++)
                gated_tile(work, first + token, output, outputs, gates + token * TILE, ups + token * TILE);
        }
    }
    together(work->crew);
}
