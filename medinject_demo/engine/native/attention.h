/* Attention of each token to the keys and values of its own line, up to its own position. */

#include "adapted.h"

#define HEADS 4                                    /* that look at one head of keys at once */
#define SCORES (LANES > OUTS ? LANES : OUTS)       /* of what their number is a multiple */

static float root(const float *from, Norm norm, whole width) {
    vec squares = {0};
    for (whole place = 0; place < width; place += LANES) squares += load(from + place) * load(from + place);
    return 1 / sqrtf(added(squares) / (float)width + norm.epsilon);
}

/* A head turned to its position, after its norm where it has one. */
static void turned(const Model *model, const float *head, Norm norm, whole position, float *to) {
    whole width = model->width, half = width / 2;
    const float *cosines = model->cosines + position * width, *sines = model->sines + position * width;
    float plain[width], factor = norm.weight ? root(head, norm, width) : 1;
    for (whole place = 0; place < width; place++)
        plain[place] = norm.weight ? head[place] * factor * norm.weight[place] : head[place];
    for (whole place = 0; place < half; place++) {
        to[place] = plain[place] * cosines[place] - plain[place + half] * sines[place];
        to[place + half] = plain[place + half] * cosines[place + half] + plain[place] * sines[place + half];
    }
}

/* Queries are turned where they lie; keys and values go to their lines. */
static void remembered(const Work *work, const Layer *layer) {
    const Model *model = work->model;
    whole width = model->width, queries = model->heads * width, keys = model->kv_heads * width;
    for MINE(token, work->batch->count) {
        float *given = row(work->joined, token);
        whole position = work->batch->positions[token];
        for (whole head = 0; head < model->heads; head++)
            turned(model, given + head * width, layer->queries, position, given + head * width);
        for (whole head = 0; head < model->kv_heads; head++) {
            whole place = ((work->batch->lines[token] * model->kv_heads + head) * layer->room + position) * width;
            turned(model, given + queries + head * width, layer->keys, position, layer->past_keys + place);
            memcpy(layer->past_values + place, given + queries + keys + head * width, sizeof(float) * width);
        }
    }
    together(work->crew);
}

/* Scores (padded, HEADS) of which `seen` count, to weights that add up to 1 for each head. */
static void softmax(float *scores, whole seen, whole padded, float scaling) {
    vec most = (vec){0} - INFINITY, sum = {0};
    for (whole place = seen * HEADS; place < padded * HEADS; place++) scores[place] = -INFINITY;
    for (whole place = 0; place < padded * HEADS; place += LANES) most = larger(load(scores + place), most);
    for (int lane = HEADS; lane < LANES; lane++)
        most[lane % HEADS] = most[lane] > most[lane % HEADS] ? most[lane] : most[lane % HEADS];
    for (int lane = HEADS; lane < LANES; lane++) most[lane] = most[lane % HEADS];
    for (whole place = 0; place < padded * HEADS; place += LANES) {
        vec weights = exponential((load(scores + place) - most) * scaling);
        store(scores + place, weights);
        sum += weights;
    }
    for (int lane = HEADS; lane < LANES; lane++) sum[lane % HEADS] += sum[lane];
    for (int lane = HEADS; lane < LANES; lane++) sum[lane] = sum[lane % HEADS];
    vec factor = 1 / sum;
    for (whole place = 0; place < padded * HEADS; place += LANES) store(scores + place, load(scores + place) * factor);
}

/* Some vectors of the values (seen, width) by the weights (seen, HEADS) of some heads, to (heads, width). */
INLINE void weighted(const int heads, const int vectors, const float *weights, const float *values, whole seen,
                     whole width, float *to) {
    vec each[HEADS][4];
    UNROLLED for (int head = 0; head < heads; head++)
        UNROLLED for (int one = 0; one < vectors; one++) each[head][one] = (vec){0};
    for (whole place = 0; place < seen; place++)
        UNROLLED for (int one = 0; one < vectors; one++) {
            vec value = load(values + place * width + one * LANES);
            UNROLLED for (int head = 0; head < heads; head++)
                each[head][one] += value * weights[place * HEADS + head];
        }
    UNROLLED for (int head = 0; head < heads; head++)
        UNROLLED for (int one = 0; one < vectors; one++) store(to + head * width + one * LANES, each[head][one]);
}

static void weighted_all(const float *weights, const float *values, whole seen, whole width, whole heads, float *to) {
    whole place = 0;
    for (; heads <= 2 && place + 4 * LANES <= width; place += 4 * LANES)
        weighted(2, 4, weights, values + place, seen, width, to + place);
    for (; place + 2 * LANES <= width; place += 2 * LANES)
        weighted(HEADS, 2, weights, values + place, seen, width, to + place);
    for (; place < width; place += LANES) weighted(HEADS, 1, weights, values + place, seen, width, to + place);
}

/* Up to HEADS heads of a token that look at one head of keys and values. */
static void looked(const Work *work, const Layer *layer, whole token, whole kept, whole first, whole heads) {
    const Model *model = work->model;
    whole width = model->width, seen = work->batch->positions[token] + 1, padded = rounded(seen, SCORES), step;
    whole line = (work->batch->lines[token] * model->kv_heads + kept) * layer->room * width;
    float *asked = work->own, *scores = asked + width * HEADS;
    for (whole head = 0; head < HEADS; head++)
        for (whole place = 0; place < width; place++)
            asked[place * HEADS + head] = head < heads ? row(work->joined, token)[(first + head) * width + place] : 0;
    memset(scores, 0, sizeof(float) * padded * HEADS);
    for (whole place = 0; place < seen * width; place += LINE / 4)
        __builtin_prefetch(layer->past_values + line + place, 0, SECOND_CACHE);
    product((Weights){layer->past_keys + line, 0}, width, padded, asked, HEADS, width, scores, HEADS);
    softmax(scores, seen, padded, model->scaling);
    weighted_all(scores, layer->past_values + line, seen, width, heads, asked);
    float *to = column(work, work->said, token, &step) + first * width * step;
    for (whole place = 0; place < heads * width; place++) to[place * step] = asked[place];
}

/* By heads first: threads then write to different lines of memory. */
static void attended(const Work *work, const Layer *layer) {
    whole count = work->batch->count, group = work->model->heads / work->model->kv_heads;
    for MINE(item, work->model->kv_heads * count)
        for (whole one = 0; one < group; one += HEADS) {
            whole kept = item / count;
            looked(work, layer, item % count, kept, kept * group + one, fewer(HEADS, group - one));
        }
    together(work->crew);
}
