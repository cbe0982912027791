/* The slab: places, free list, generations, wiping. */
#include "keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Static_assert(KEY_PLACES *(int64_t)GENERATIONS == (int64_t)INT32_MAX + 1,
               "an index is a positive int32");

void *locked_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    /* mlock by its other name: sanitizers replace mlock with nothing. */
    if (mlock2(memory, size, 0) != 0 || madvise(memory, size, MADV_DONTDUMP) != 0 ||
        madvise(memory, size, MADV_WIPEONFORK) != 0) {
        int error = errno;
        munmap(memory, size);
        errno = error;
        return NULL;
    }
    return memory;
}

void throw_unlocked(napi_env env, size_t size, int error) {
    char what[160];
    snprintf(what, sizeof what,
             "key memory cannot be locked; raise the limit of locked memory by %zu KiB "
             "(LimitMEMLOCK, ulimit -l)",
             size / 1024);
    throw_errno(env, what, error);
}

static void wipe_place(struct keys *keys, struct place *place) {
    EVP_CIPHER_CTX_free(place->context);
    place->context = NULL;
    if (place->hctr2 != NULL) {
        drop_hctr2(keys, place->hctr2);
        place->hctr2 = NULL;
    }
    place->uses = 0;
    OPENSSL_cleanse(place->key, sizeof place->key);
    OPENSSL_cleanse(place->salt, sizeof place->salt);
}

static void close_keys(void *data) {
    struct keys *keys = data;
    withdraw_grants_of(keys);
    if (keys->places != NULL) {
        for (uint32_t i = 0; i < KEY_PLACES; i++) {
            wipe_place(keys, &keys->places[i]);
        }
        munmap(keys->places, KEY_PLACES * sizeof *keys->places);
    }
    close_hctr2(keys);
    EVP_MAC_CTX_free(keys->hmac);
    EVP_CIPHER_CTX_free(keys->chacha20);
    EVP_CIPHER_CTX_free(keys->message);
    free(keys);
}

/* Contexts that serve one call at a time: fetching an algorithm costs more than using it. */
static bool open_contexts(struct keys *keys) {
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (hmac == NULL) {
        return false;
    }
    keys->hmac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    keys->chacha20 = EVP_CIPHER_CTX_new();
    keys->message = EVP_CIPHER_CTX_new();
    const OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string("digest", "SHA256", 0),
                                 OSSL_PARAM_construct_end()};
    return keys->hmac != NULL && EVP_MAC_CTX_set_params(keys->hmac, digest) == 1 &&
           keys->chacha20 != NULL && keys->message != NULL &&
           EVP_CipherInit_ex2(keys->chacha20, EVP_chacha20(), NULL, NULL, 1, NULL) == 1 &&
           EVP_CipherInit_ex2(keys->message, EVP_chacha20_poly1305(), NULL, NULL, 1, NULL) == 1;
}

static struct keys *open_keys(napi_env env) {
    struct keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        throw_errno(env, "keys", ENOMEM);
        return NULL;
    }
    keys->places = locked_memory(KEY_PLACES * sizeof *keys->places);
    if (keys->places == NULL) {
        throw_unlocked(env, KEY_PLACES * sizeof *keys->places, errno);
        free(keys);
        return NULL;
    }
    if (!open_grants()) {
        throw_unlocked(env, grants_memory(), errno);
        munmap(keys->places, KEY_PLACES * sizeof *keys->places);
        free(keys);
        return NULL;
    }
    for (uint32_t i = 0; i < KEY_PLACES; i++) {
        keys->places[i].generation = 1;
        keys->places[i].next = i + 1;
    }
    keys->last_free = KEY_PLACES - 1;
    keys->level = best_level();
    if (!open_contexts(keys) || napi_set_instance_data(env, keys, NULL, NULL) != napi_ok ||
        napi_add_env_cleanup_hook(env, close_keys, keys) != napi_ok) {
        napi_set_instance_data(env, NULL, NULL, NULL);
        close_keys(keys);
        throw_openssl(env, "keys");
        return NULL;
    }
    return keys;
}

struct keys *keys_of(napi_env env) {
    void *keys = NULL;
    if (napi_get_instance_data(env, &keys) == napi_ok && keys != NULL) {
        return keys;
    }
    return open_keys(env);
}

struct place *arg_key(napi_env env, struct keys *keys, napi_value value, const char *name,
                      uint32_t uses) {
    int32_t index;
    char message[160];
    if (!arg_int(env, value, name, 0, INT32_MAX, &index)) {
        return NULL;
    }
    struct place *place = find_key(keys, index);
    if (place == NULL) {
        snprintf(message, sizeof message, "%s: names no key, or one that was released", name);
        throw_range(env, message);
        return NULL;
    }
    if ((place->uses & uses) == 0) {
        snprintf(message, sizeof message, "%s: %s expected, this key serves for something else",
                 name, uses == FOR_EXCHANGE ? "an X25519 secret" : "a symmetric key");
        throw_range(env, message);
        return NULL;
    }
    return place;
}

struct place *take_key(struct keys *keys, uint32_t uses) {
    if (keys->first_free == KEY_PLACES) {
        return NULL;
    }
    struct place *place = &keys->places[keys->first_free];
    keys->first_free = place->next;
    place->uses = uses;
    return place;
}

/* Freed places queue behind all others, so that a stale index is refused for as long as can be:
 * it names a key again after GENERATIONS rounds through all free places. */
void drop_key(struct keys *keys, struct place *place) {
    uint32_t index = (uint32_t)(place - keys->places);
    wipe_place(keys, place);
    place->generation = place->generation + 1 < GENERATIONS ? place->generation + 1 : 1;
    place->next = KEY_PLACES;
    if (keys->first_free == KEY_PLACES) {
        keys->first_free = index;
    } else {
        keys->places[keys->last_free].next = index;
    }
    keys->last_free = index;
}

napi_value js_key(napi_env env, const struct keys *keys, const struct place *place) {
    return js_int(env,
                  (int32_t)(place->generation << PLACE_BITS | (uint32_t)(place - keys->places)));
}

bool arg_exactly(napi_env env, napi_value value, const char *name, size_t length,
                 struct bytes *out) {
    if (!arg_bytes(env, value, name, out)) {
        return false;
    }
    if (out->length != length) {
        char message[120];
        snprintf(message, sizeof message, "%s: %zu bytes expected, %zu given", name, length,
                 out->length);
        throw_range(env, message);
        return false;
    }
    return true;
}

/* The queue of errors is the thread's, and Node reads it: nothing may stay in it. */
napi_value throw_openssl(napi_env env, const char *what) {
    char message[160];
    snprintf(message, sizeof message, "%s: OpenSSL failed", what);
    ERR_clear_error();
    napi_throw_error(env, NULL, message);
    return NULL;
}

/* importKey(bytes): number */
static napi_value import_key(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    struct bytes bytes;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_exactly(env, args[0], "bytes", KEY_LENGTH, &bytes)) {
        return NULL;
    }
    struct place *place = take_key(keys, FOR_HASHING | FOR_EXCHANGE);
    if (place == NULL) {
        char message[80];
        snprintf(message, sizeof message, "all %d key places are taken", KEY_PLACES);
        napi_throw_error(env, NULL, message);
        return NULL;
    }
    memcpy(place->key, bytes.data, KEY_LENGTH);
    OPENSSL_cleanse(bytes.data, KEY_LENGTH);
    return js_key(env, keys, place);
}

/* keyMemory(workers, wide): bytes that are locked for tickets, main and so many workers, each with
 * so many keys of HCTR2 or the mask */
static napi_value key_memory(napi_env env, napi_callback_info info) {
    napi_value args[2], out;
    size_t count = 2;
    int32_t workers, wide;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "workers", 0, INT32_MAX, &workers) ||
        !arg_int(env, args[1], "wide", 0, KEY_PLACES, &wide)) {
        return NULL;
    }
    const size_t main = grants_memory() + KEY_PLACES * sizeof(struct place);
    const size_t worker = KEY_PLACES * sizeof(struct place) + hctr2_memory((size_t)wide);
    const double bytes = (double)main + (double)workers * (double)worker;
    return napi_create_double(env, bytes, &out) == napi_ok ? out : NULL;
}

/* release(key) */
static napi_value release(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *place = arg_key(env, keys, args[0], "key", FOR_ANYTHING);
    if (place != NULL) {
        drop_key(keys, place);
    }
    return NULL;
}

bool register_keys(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"importKey", import_key}, {"keyMemory", key_memory}, {"release", release}};
    return register_key_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
