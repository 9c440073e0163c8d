/* Drives a fuzz target without libFuzzer, by what looks like chance but never changes: so that targets always work.
 *
 * Inputs are octets of every kind, mostly made to look like packets at likely places.
 */
#include <string.h>

#include "check.h"
#include "fuzz.h"

#define INPUTS 3000
#define LONGEST 600

static size_t invent(uint8_t *octets, uint32_t *chance) {
    size_t size = next_random(chance) % LONGEST;
    for (size_t i = 0; i < size; i++) octets[i] = (uint8_t)next_random(chance);
    for (size_t i = next_random(chance) % 4; i + 14 < size; i += next_random(chance) % 220) {
        if (next_random(chance) % 8 == 0) break;
        octets[i] = (uint8_t)(0x80 | (next_random(chance) % 6 == 0 ? next_random(chance) & 0x3F : 0));
        octets[i + 1] = (uint8_t[]){0, 8, 9, 10, 101, 200, 201}[next_random(chance) % 7];
    }
    return size;
}

int main(void) {
    uint8_t octets[LONGEST];
    uint32_t chance = 20533;
    for (int i = 0; i < INPUTS; i++) {
        size_t size = invent(octets, &chance);
        /* Memory of exactly this size: a sanitizer sees what is read beyond it. */
        uint8_t *exact = malloc(size > 0 ? size : 1);
        memcpy(exact, octets, size);
        CHECK(LLVMFuzzerTestOneInput(exact, size) == 0);
        free(exact);
    }
    printf("ok %d inputs\n", INPUTS);
    return 0;
}
