#include "audiosocket.h"

#include <string.h>

void pm_audiosocket_init(pm_audiosocket *reader, pm_codec_name codec) {
    memset(reader, 0, sizeof *reader);
    reader->audio_kind = codec == PM_LINEAR16 ? PM_AUDIOSOCKET_SLIN16 : PM_AUDIOSOCKET_SLIN;
    reader->tick_octets = (uint32_t)pm_codec_of(codec).octets_per_tick;
    reader->frame_octets = reader->tick_octets * PM_FRAME_TICKS;
}

static bool is_key(uint8_t octet) { return octet != 0 && strchr("0123456789*#ABCD", octet) != NULL; }

/* What a message means as its header tells. */
static pm_found_kind meaning_of(const pm_audiosocket *reader, uint8_t kind) {
    if (reader->left > PM_AUDIOSOCKET_LONGEST) return PM_FOUND_BROKEN;
    if (kind == PM_AUDIOSOCKET_HANGUP) return PM_FOUND_HANGUP;
    if (kind == PM_AUDIOSOCKET_ERROR) return PM_FOUND_ERROR;
    if (kind == PM_AUDIOSOCKET_KEY && reader->left == 1) return PM_FOUND_KEY;
    if (kind == reader->audio_kind && reader->left % reader->tick_octets == 0) return PM_FOUND_AUDIO;
    bool is_audio = kind >= PM_AUDIOSOCKET_SLIN && kind <= PM_AUDIOSOCKET_LAST_AUDIO;
    return is_audio && kind != reader->audio_kind ? PM_FOUND_OTHER_AUDIO : PM_FOUND_UNREADABLE;
}

static void begin_message(pm_audiosocket *reader, pm_found *found) {
    reader->left = (uint32_t)(reader->header[1] << 8 | reader->header[2]);
    reader->meaning = meaning_of(reader, reader->header[0]);
    reader->held = 0;
    reader->broken = reader->meaning == PM_FOUND_BROKEN;
    if (reader->meaning == PM_FOUND_AUDIO || reader->meaning == PM_FOUND_KEY) return;
    found->kind = reader->meaning;
    reader->meaning = PM_FOUND_NOTHING;
}

static size_t take_audio(pm_audiosocket *reader, const uint8_t *octets, size_t size, pm_found *found) {
    size_t n = (size_t)pm_min((int64_t)size, pm_min(reader->left, reader->frame_octets - reader->held));
    memcpy(reader->piece + reader->held, octets, n);
    reader->held += (uint32_t)n;
    if (reader->held == reader->frame_octets || n == reader->left) {
        *found = (pm_found){PM_FOUND_AUDIO, reader->piece, reader->held};
        reader->held = 0;
    }
    return n;
}

static size_t take_payload(pm_audiosocket *reader, const uint8_t *octets, size_t size, pm_found *found) {
    size_t n = (size_t)pm_min((int64_t)size, reader->left);
    if (reader->meaning == PM_FOUND_AUDIO) {
        n = take_audio(reader, octets, size, found);
    } else if (reader->meaning == PM_FOUND_KEY) {
        reader->piece[0] = octets[0];
        *found = (pm_found){is_key(octets[0]) ? PM_FOUND_KEY : PM_FOUND_UNREADABLE, reader->piece, 1};
    }
    reader->left -= (uint32_t)n;
    return n;
}

size_t pm_audiosocket_read(pm_audiosocket *reader, const uint8_t *octets, size_t size, pm_found *found) {
    size_t used = 0;
    *found = (pm_found){.kind = reader->broken ? PM_FOUND_BROKEN : PM_FOUND_NOTHING};
    if (reader->broken) return size;
    while (used < size && found->kind == PM_FOUND_NOTHING) {
        if (reader->header_size < PM_AUDIOSOCKET_HEADER_SIZE) {
            reader->header[reader->header_size++] = octets[used++];
            if (reader->header_size == PM_AUDIOSOCKET_HEADER_SIZE) begin_message(reader, found);
        } else {
            used += take_payload(reader, octets + used, size - used, found);
        }
        if (reader->header_size == PM_AUDIOSOCKET_HEADER_SIZE && reader->left == 0) reader->header_size = 0;
    }
    return used;
}

size_t pm_audiosocket_write_header(uint8_t *header, uint8_t kind, size_t payload_size) {
    header[0] = kind;
    header[1] = (uint8_t)(payload_size >> 8);
    header[2] = (uint8_t)payload_size;
    return PM_AUDIOSOCKET_HEADER_SIZE;
}
