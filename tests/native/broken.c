/* Does what a sanitizer must see, so that a clean run of the tests means something. `broken address|thread` */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int shared;

static void *count(void *context) {
    (void)context;
    for (int i = 0; i < 1000; i++) shared++;
    return NULL;
}

static int read_beyond(size_t size) {
    volatile char *octets = calloc(size, 1);
    int found = octets[size];
    free((void *)octets);
    return found;
}

int main(int arguments, char **values) {
    if (arguments > 1 && strcmp(values[1], "address") == 0) return read_beyond((size_t)arguments) & 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}
