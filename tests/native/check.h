/* What the C tests share: a check that names itself and ends the test, and numbers that look random but never change. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                \
    do {                                                                                \
        if (!(condition)) {                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);     \
            abort();                                                                    \
        }                                                                               \
    } while (0)

#define RUN(test)                    \
    do {                             \
        test();                      \
        printf("ok %s\n", #test);    \
    } while (0)

/* Marsaglia's xorshift; a state of its own for each thread. */
static inline uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

#endif
