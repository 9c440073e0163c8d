/* What every fuzz target is to whoever drives it: libFuzzer (make fuzz), or fuzz_by_chance.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0; a fault ends the program. */
int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size);

#endif
