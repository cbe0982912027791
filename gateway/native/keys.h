/* Keys: one locked slab of places per environment (thread), each place one key. JavaScript holds an
 * index; no function returns key bytes.
 *
 *   importKey, generateKeyPair, exchange, extract, expand, claim -> place -> release
 *
 * A key for AEAD or FF1 is held by its OpenSSL context alone: OpenSSL's heap is not locked, but
 * OpenSSL cleanses what it frees, and the process is not dumped (hardenProcess in process.c). What
 * HCTR2 and the mask derive is in locked memory that grows with their number (hctr2-key.c). */
#ifndef GSCIP_KEYS_H
#define GSCIP_KEYS_H

#include "addon.h"
#include "hctr2.h"

#include <openssl/evp.h>

enum {
    KEY_LENGTH = 32,
    SALT_LENGTH = 4,
    MAC_LENGTH = 32,
    PLACE_BITS = 14,
    KEY_PLACES = 1 << PLACE_BITS,
    /* The rest of a positive int32: how often a place was taken. */
    GENERATIONS = 1 << (31 - PLACE_BITS)
};

/* What a key may be used for; a bit set, 0 for a free place. Imported keys serve as both. */
enum {
    FOR_HASHING = 1,
    FOR_EXCHANGE = 2,
    FOR_JOBS = 4,
    FOR_WIDE = 8,
    FOR_SHORT = 16,
    FOR_MASK = 32,
    FOR_ANYTHING = 63
};

struct place {
    uint8_t key[KEY_LENGTH];
    uint8_t salt[SALT_LENGTH];
    uint32_t uses;
    uint32_t generation;     /* 1 … GENERATIONS - 1, so that index 0 never names a key */
    uint32_t next;           /* free list; KEY_PLACES at its end */
    EVP_CIPHER_CTX *context; /* FOR_JOBS, FOR_SHORT */
    struct hctr2_key *hctr2; /* FOR_WIDE, FOR_MASK */
};
_Static_assert(sizeof(struct place) == 64, "one place, one cache line");

struct keys {
    struct place *places;
    uint32_t first_free, last_free;
    /* For HCTR2 and the mask; chunks are locked as they are needed. */
    struct hctr2_chunk *chunks;
    struct hctr2_key *free_hctr2;
    enum level level; /* of the keys that are made from now on */
    /* Used within one call and keyed with zeros before it returns. */
    EVP_MAC_CTX *hmac;
    EVP_CIPHER_CTX *chacha20, *message;
};

/* The environment's slab, opened at the first call; NULL after throwing. */
struct keys *keys_of(napi_env env);

/* NULL when the index names no key: never given out, or released. */
static inline struct place *find_key(const struct keys *keys, int32_t index) {
    if (index <= 0) {
        return NULL;
    }
    struct place *place = &keys->places[index & (KEY_PLACES - 1)];
    return place->uses != 0 && place->generation == (uint32_t)index >> PLACE_BITS ? place : NULL;
}

/* A key argument that serves for one of `uses`; NULL after throwing a TypeError or RangeError. */
struct place *arg_key(napi_env env, struct keys *keys, napi_value value, const char *name,
                      uint32_t uses);

/* What JavaScript gets where there is no place for a key, or no memory for what it derives. */
enum { NO_KEY = 0 };
/* Takes a free place; NULL when there is none. Until it is returned to JavaScript, `drop_key` gives
 * it back. */
struct place *take_key(struct keys *keys, uint32_t uses);
void drop_key(struct keys *keys, struct place *place);
napi_value js_key(napi_env env, const struct keys *keys, const struct place *place);

/* A byte argument of exactly `length` bytes. */
bool arg_exactly(napi_env env, napi_value value, const char *name, size_t length,
                 struct bytes *out);

/* Memory that is locked, left out of dumps, and zeros in a child; NULL, and errno, when there is
 * none. `throw_unlocked` says what to do about that. */
void *locked_memory(size_t size);
void throw_unlocked(napi_env env, size_t size, int error);

/* NULL when no more memory can be locked; a dropped key is wiped. hctr2-key.c */
struct hctr2_key *take_hctr2(struct keys *keys);
void drop_hctr2(struct keys *keys, struct hctr2_key *key);
/* Unmaps what `take_hctr2` mapped; all keys were dropped. */
void close_hctr2(struct keys *keys);
/* Bytes that are locked for so many keys. */
size_t hctr2_memory(size_t count);

/* `register_functions` for those that handle keys: when one returns, what it left of them on the
 * stack and in vector registers is wiped. `list` is static. wipe.c */
bool register_key_functions(napi_env env, napi_value exports, const native_function *list,
                            size_t count);

napi_value throw_openssl(napi_env env, const char *what);

/* Makes the context of an AEAD key ready for jobs; false when OpenSSL has no memory. cipher.c */
bool key_aead(struct place *place, int32_t algorithm, const uint8_t key[KEY_LENGTH]);

/* Makes the process's table of tickets, once; false, and errno, when it cannot be locked. grant.c
 */
bool open_grants(void);
size_t grants_memory(void);
/* Withdraws what an ending environment granted and nobody claimed. grant.c */
void withdraw_grants_of(const struct keys *keys);

#endif
