/* One forward of a decoder of Llama's kind in fp32 over the tokens of a batch, each by its own row's adapter.

Tokens of one line follow each other; keys and values of all are written before any looks back. Every thread goes
through all of it and does its part. What this computes is held against transformers' own code once an engine is
loaded (`native_steps`). */

#include "attention.h"

#include <omp.h>
#include <stdlib.h>

static void embedded(const Work *work) {
    whole hidden = work->model->hidden;
    for MINE(token, work->batch->count) {
        Weights given = beyond(weights_of(work, work->model->embedding), work->batch->tokens[token] * hidden);
        float *to = row(work->stream, token);
        const unsigned short *halves = given.at;
        for (whole place = 0; given.half && place < hidden; place++)
            to[place] = (union { uint32_t bits; float number; }){(uint32_t)halves[place] << 16}.number;
        if (!given.half) memcpy(to, given.at, sizeof(float) * hidden);
    }
    together(work->crew);
}

/* By places of the stream, for the same reason as in `attended`. */
static void normed(const Work *work, Norm norm) {
    whole count = work->batch->count, hidden = work->model->hidden;
    for MINE(token, count) work->roots[token] = root(row(work->stream, token), norm, hidden);
    together(work->crew);
    whole from = work->hand * hidden / work->crew->size, until = (work->hand + 1) * hidden / work->crew->size, width;
    for (whole token = 0; token < count; token++) {
        const float *given = row(work->stream, token);
        float *to = column(work, work->normed, token, &width);
        for (whole place = from; place < until; place++)
            to[place * width] = given[place] * work->roots[token] * norm.weight[place];
    }
    together(work->crew);
}

/* Queries, keys and values side by side. */
static void joined(const Work *work, const Layer *layer) {
    const Family *family = &layer->joined;
    whole from = 0;
    normed(work, layer->first);
    low(work, family, work->normed);
    for (int member = 0; member < 3; from += family->to[member++].outputs)
        linear(work, &family->to[member], work->normed, work->joined, from, 0);
    together(work->crew);
}

static void added_to_stream(const Work *work, const Family *family, Panels x) {
    low(work, family, x);
    linear(work, &family->to[0], x, work->stream, 0, 1);
    together(work->crew);
}

/* Logits of the last tokens. */
static void headed(const Work *work) {
    whole size = work->model->vocabulary, count = work->batch->count, before = count - work->batch->wanted;
    Weights head = weights_of(work, work->model->head);
    for MINE(one, (size + TILE - 1) / TILE) {
        float tiled[TOKENS * TILE] ALIGNED;
        whole output = fewer(one * TILE, size - TILE); /* the last overlaps the one before it */
        for (whole first = before / TOKENS * TOKENS; first < count; first += TOKENS) {
            whole tokens = fewer(TOKENS, count - first);
            multiplied(work, beyond(head, output * work->model->hidden), work->normed, TILE, first, tokens, tiled);
            for (whole token = more(before - first, 0); token < tokens; token++)
                memcpy(work->batch->logits + (first + token - before) * size + output, tiled + token * TILE,
                       sizeof(float) * TILE);
        }
    }
    together(work->crew);
}

/* The place of the greatest of some numbers, the first of equals; any place where one of them is NaN. */
static whole greatest(const float *from, whole count) {
    ivec steps = {0}, step = {0};
    vec most = load(from);
    whole place = LANES;
    for (; place + LANES <= count; place += LANES) {
        step += 1;
        ivec above = load(from + place) > most;
        steps = (above & step) | (~above & steps);
        most = chosen(above, load(from + place), most);
    }
    whole best = 0;
    for (int lane = 0; lane < LANES; lane++) {
        whole at = (whole)steps[lane] * LANES + lane;
        if (most[lane] > from[best] || (most[lane] == from[best] && at < best)) best = at;
    }
    for (; place < count; place++) best = from[place] > from[best] ? place : best;
    return best;
}

/* The best token of each, and whether all of its logits are finite. */
static void told(const Work *work) {
    const Batch *batch = work->batch;
    whole size = work->model->vocabulary;
    for MINE(wanted, batch->wanted) {
        const float *logits = batch->logits + wanted * size;
        whole finite = 1;
        for (whole token = 0; token < size; token++) finite &= logits[token] - logits[token] == 0;
        batch->best[wanted] = greatest(logits, size);
        batch->finite[wanted] = finite;
    }
}

static void forward(const Work *work) {
    const Model *model = work->model;
    embedded(work);
    for (const Layer *layer = model->layers; layer < model->layers + model->count; layer++) {
        joined(work, layer);
        remembered(work, layer);
        if (!work->batch->wanted && layer == model->layers + model->count - 1) return; /* nothing else is */
        attended(work, layer);
        added_to_stream(work, &layer->output, work->said);
        normed(work, layer->second);
        low(work, &layer->gated, work->normed);
        gated(work, &layer->gated);
        added_to_stream(work, &layer->down, work->active);
    }
    normed(work, model->norm);
    headed(work);
    told(work);
}

/* Where runs of tokens of one slot begin, and the end; how many there are, 0 where all are the base's. */
static whole runs_of(const Batch *batch, whole *runs) {
    whole count = 0, adapted = 0;
    for (whole token = 0; token < batch->count; token++) {
        if (!token || batch->slots[token] != batch->slots[token - 1]) runs[count++] = token;
        adapted |= batch->slots[token];
    }
    runs[count] = batch->count;
    return adapted ? count : 0;
}

/* Room for so many numbers, from what is left. */
static float *taken(float **left, whole numbers) {
    float *room = *left;
    *left += rounded(numbers, LINE / 4);
    return room;
}

/* Lays the room of all threads out behind `left`; what it ends with is how much that is. */
static float *laid_out(Work *work, float *left) {
    const Model *model = work->model;
    whole count = work->batch->count, padded = rounded(count, PANEL), queries = model->heads * model->width;
    whole low = 3 * model->rank, shares = more(pieces(model->hidden) * 3, pieces(more(queries, model->feed_forward)));
    work->stream = (Rows){taken(&left, count * model->hidden), model->hidden};
    work->low = (Rows){taken(&left, count * low), low};
    work->normed = (Panels){taken(&left, padded * model->hidden), model->hidden};
    work->roots = taken(&left, count);
    work->shares = taken(&left, count * shares * model->rank);
    float *attention = left, *gate = left; /* in the same place: the one is over when the other begins */
    work->joined.width = queries + 2 * model->kv_heads * model->width;
    work->joined.at = taken(&attention, count * work->joined.width);
    work->said = (Panels){taken(&attention, padded * queries), queries};
    work->active = (Panels){taken(&gate, padded * model->feed_forward), model->feed_forward};
    work->own = attention > gate ? attention : gate;
    return work->own;
}

/* Room for one thread: queries and scores of some heads. */
static whole own(const Model *model, const Batch *batch) {
    whole seen = 0;
    for (whole token = 0; token < batch->count; token++) seen = more(seen, batch->positions[token] + 1);
    return rounded(HEADS * (model->width + rounded(seen, SCORES)), LINE / 4);
}

/* 0 where done, 1 where there was no memory; nothing is remembered then. */
int step(const Model *model, Batch *batch, int threads) {
    Crew crew = {.size = 0};
    long long since = now();
    Work common = {.model = model, .batch = batch, .crew = &crew};
    whole each = own(model, batch), shared = laid_out(&common, 0) - (float *)0;
    float *room = aligned_alloc(LINE, sizeof(float) * (shared + threads * each));
    common.runs = malloc(sizeof(whole) * (batch->count + 1));
    int failed = !room || !common.runs;
    if (!failed) {
        laid_out(&common, room);
        memset(room, 0, sizeof(float) * shared); /* lanes of a panel that no token has */
        common.run_count = runs_of(batch, common.runs);
#pragma omp parallel num_threads(threads)
        {
            Work work = common;
            work.hand = omp_get_thread_num();
            work.own += work.hand * each;
#pragma omp single
            crew.size = omp_get_num_threads();
            forward(&work);
        }
        batch->idle = (double)crew.slept / (double)(now() - since) / (double)more(crew.size - 1, 1);
    }
    free(room);
    free(common.runs);
    return failed;
}
