/* The native addon: packet sockets and ciphers in batches. Every file registers its own functions.
 */
#ifndef GSCIP_ADDON_H
#define GSCIP_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of a frame record (Int32Array); the same values as gateway/wire/record.ts, kept equal by
 * a test. */
enum {
    F_OFFSET,
    F_LENGTH,
    F_FLAGS,
    F_GSO_TYPE,
    F_GSO_SIZE,
    F_CSUM_START,
    F_CSUM_OFFSET,
    F_VLAN_TCI,
    F_VLAN_TPID,
    F_STATUS,
    F_PORT,
    F_NEXT,
    F_STRIDE = 20
};

/* F_FLAGS beyond those of struct virtio_net_hdr; the same value as gateway/wire/record.ts. */
enum { VNET_JOINED = 0x100, JOINED_MAX = 63 };

/* Shape of a receive slot; the same values as gateway/wire/record.ts. */
enum {
    SLOT_HEADROOM = 256,
    SLOT_TAILROOM = 128,
    SLOT_SIZE = SLOT_HEADROOM + 65536 + 256,
};

/* Columns of a cipher job (Int32Array); the same values as gateway/transform/cipher.ts. */
enum {
    J_OP,
    J_KEY,
    J_SRC,
    J_DST,
    J_LENGTH,
    J_AAD,
    J_AAD_LENGTH,
    J_TAG,
    J_TAG_LENGTH,
    J_NUMBER_HIGH,
    J_NUMBER_LOW,
    J_STATUS,
    J_STRIDE,
    /* Columns of OP_ENCIPHER and OP_DECIPHER that an AEAD job calls otherwise. */
    J_SHORT_KEY = J_TAG,
    J_SEGMENT = J_TAG_LENGTH
};

/* J_OP, J_STATUS, and the algorithm of an AEAD key; the same values as gateway/transform/cipher.ts.
 */
enum { OP_SEAL, OP_OPEN, OP_SUM, OP_ENCIPHER, OP_DECIPHER, OP_MASK };
enum { STATUS_OK, STATUS_FORGED };
enum { AES_256_GCM, CHACHA20_POLY1305 };

/* Bytes of a segment: HCTR2 begins here, FF1 ends below; the same value as
 * gateway/transform/cipher.ts. */
enum { WIDE_FROM = 16 };

/* A byte range that JavaScript lent for the length of one call. */
struct bytes {
    uint8_t *data;
    size_t length;
};

/* Arguments; each returns false after throwing a TypeError or RangeError that names the argument.
 */
bool arg_bytes(napi_env env, napi_value value, const char *name, struct bytes *out);
bool arg_int32s(napi_env env, napi_value value, const char *name, int32_t **out, size_t *count);
bool arg_int(napi_env env, napi_value value, const char *name, int32_t min, int32_t max,
             int32_t *out);
bool arg_text(napi_env env, napi_value value, const char *name, char *out, size_t size);
napi_value throw_range(napi_env env, const char *message);
napi_value throw_errno(napi_env env, const char *what, int error);
napi_value js_int(napi_env env, int32_t value);

static inline bool range_fits(size_t size, int64_t offset, int64_t length) {
    return offset >= 0 && length >= 0 && (uint64_t)offset <= size &&
           (uint64_t)length <= size - (uint64_t)offset;
}

typedef struct {
    const char *name;
    napi_callback callback;
} native_function;

bool register_functions(napi_env env, napi_value exports, const native_function *list,
                        size_t count);

/* The folded one's complement sum (RFC 1071) of `data` on top of `initial`, not inverted: 0xffff
 * where a correct checksum is part of it, 0 only where everything is zero. */
uint32_t sum16(const uint8_t *data, size_t length, uint32_t initial);

/* Takes frames that wait at `fd`, at most `max` and MAX_BATCH, without blocking, into slots and
 * records from `first` on, which `receive_fits` found to be there: how many, or -errno.
 * `receive_fits` throws where it returns false. */
int receive_frames(int fd, const struct bytes *slab, int32_t *batch, int32_t first, int32_t max);
bool receive_fits(napi_env env, const struct bytes *slab, size_t columns, int32_t first,
                  int32_t max);

/* One per file. */
bool register_process(napi_env env, napi_value exports);
bool register_probe(napi_env env, napi_value exports);
bool register_sockets(napi_env env, napi_value exports);
bool register_receive(napi_env env, napi_value exports);
bool register_transmit(napi_env env, napi_value exports);
bool register_wait(napi_env env, napi_value exports);
bool register_keys(napi_env env, napi_value exports);
bool register_exchange(napi_env env, napi_value exports);
bool register_kdf(napi_env env, napi_value exports);
bool register_messages(napi_env env, napi_value exports);
bool register_grants(napi_env env, napi_value exports);
bool register_ciphers(napi_env env, napi_value exports);

#endif
