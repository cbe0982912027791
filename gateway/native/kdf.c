/* HKDF-SHA-256 (RFC 5869) and HMAC-SHA-256 (RFC 2104). */
#include "keys.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

static const uint8_t zeros[MAC_LENGTH];

/* HMAC of up to three parts; the context forgets the key before this returns. */
static bool hmac(struct keys *keys, const uint8_t *key, size_t length, const struct bytes parts[3],
                 uint8_t out[MAC_LENGTH]) {
    size_t written = 0;
    bool ok = EVP_MAC_init(keys->hmac, key, length, NULL) == 1;
    for (int i = 0; ok && i < 3; i++) {
        ok =
            parts[i].length == 0 || EVP_MAC_update(keys->hmac, parts[i].data, parts[i].length) == 1;
    }
    ok = ok && EVP_MAC_final(keys->hmac, out, &written, MAC_LENGTH) == 1;
    return EVP_MAC_init(keys->hmac, zeros, sizeof zeros, NULL) == 1 && ok;
}

/* RFC 5869, 2.3: T(1) to `first`, and where `second` is asked for, the first bytes of T(2). */
static bool expand_to(struct keys *keys, const struct place *prk, struct bytes info,
                      uint8_t first[MAC_LENGTH], uint8_t second[SALT_LENGTH]) {
    uint8_t one = 1, two = 2, block[MAC_LENGTH];
    const struct bytes t1[3] = {info, {&one, 1}, {NULL, 0}};
    const struct bytes t2[3] = {{first, MAC_LENGTH}, info, {&two, 1}};
    if (!hmac(keys, prk->key, KEY_LENGTH, t1, first)) {
        return false;
    }
    if (second == NULL) {
        return true;
    }
    bool ok = hmac(keys, prk->key, KEY_LENGTH, t2, block);
    if (ok) {
        memcpy(second, block, SALT_LENGTH);
    }
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

/* The key of a place that was filled, or none: `ready` is false where there was no memory. */
static napi_value settle(napi_env env, struct keys *keys, struct place *place, const char *what,
                         bool expanded, bool ready) {
    if (ready) {
        return js_key(env, keys, place);
    }
    drop_key(keys, place);
    ERR_clear_error();
    return expanded ? js_int(env, NO_KEY) : throw_openssl(env, what);
}

/* extract(salt, ikm0, ikm1?, ikm2?): number or NO_KEY. RFC 5869, 2.2. */
static napi_value extract(napi_env env, napi_callback_info info) {
    static const char *const names[] = {"ikm[0]", "ikm[1]", "ikm[2]"};
    napi_value args[4];
    size_t count = 4;
    struct bytes salt, parts[3] = {{NULL, 0}};
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_bytes(env, args[0], "salt", &salt)) {
        return NULL;
    }
    if (count < 2 || count > 4) {
        return throw_range(env, "ikm: one to three keys expected");
    }
    for (size_t i = 0; i + 1 < count; i++) {
        struct place *place = arg_key(env, keys, args[i + 1], names[i], FOR_HASHING);
        if (place == NULL) {
            return NULL;
        }
        parts[i] = (struct bytes){place->key, KEY_LENGTH};
    }
    struct place *prk = take_key(keys, FOR_HASHING);
    if (prk == NULL) {
        return js_int(env, NO_KEY);
    }
    const uint8_t *key = salt.length > 0 ? salt.data : zeros;
    size_t length = salt.length > 0 ? salt.length : sizeof zeros;
    if (!hmac(keys, key, length, parts, prk->key)) {
        drop_key(keys, prk);
        return throw_openssl(env, "extract");
    }
    return js_key(env, keys, prk);
}

/* expandAead(prk, info, algorithm): number or NO_KEY */
static napi_value expand_aead(napi_env env, napi_callback_info info) {
    napi_value args[3];
    size_t count = 3;
    struct bytes label;
    int32_t algorithm;
    uint8_t key[KEY_LENGTH];
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *prk = arg_key(env, keys, args[0], "prk", FOR_HASHING);
    if (prk == NULL || !arg_bytes(env, args[1], "info", &label) ||
        !arg_int(env, args[2], "algorithm", AES_256_GCM, CHACHA20_POLY1305, &algorithm)) {
        return NULL;
    }
    struct place *place = take_key(keys, FOR_JOBS);
    if (place == NULL) {
        return js_int(env, NO_KEY);
    }
    bool expanded = expand_to(keys, prk, label, key, place->salt);
    bool ready = expanded && key_aead(place, algorithm, key);
    OPENSSL_cleanse(key, sizeof key);
    return settle(env, keys, place, "expandAead", expanded, ready);
}

/* Fills a place that was taken for `uses`; false when there is no memory for it. */
static bool derive(struct keys *keys, struct place *place, uint32_t uses,
                   const uint8_t bytes[KEY_LENGTH]) {
    if (uses == FOR_HASHING) {
        memcpy(place->key, bytes, KEY_LENGTH);
        return true;
    }
    if (uses == FOR_SHORT) {
        place->context = aes_256(bytes, 1);
        return place->context != NULL;
    }
    place->hctr2 = take_hctr2(keys);
    return place->hctr2 != NULL && hctr2_derive(place->hctr2, keys->level, bytes);
}

static napi_value expand_for(napi_env env, napi_callback_info info, uint32_t uses,
                             const char *what) {
    napi_value args[2];
    size_t count = 2;
    struct bytes label;
    uint8_t bytes[KEY_LENGTH];
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *prk = arg_key(env, keys, args[0], "prk", FOR_HASHING);
    if (prk == NULL || !arg_bytes(env, args[1], "info", &label)) {
        return NULL;
    }
    struct place *place = take_key(keys, uses);
    if (place == NULL) {
        return js_int(env, NO_KEY);
    }
    bool expanded = expand_to(keys, prk, label, bytes, NULL);
    bool ready = expanded && derive(keys, place, uses, bytes);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return settle(env, keys, place, what, expanded, ready);
}

/* expand(prk, info): number or NO_KEY */
static napi_value expand(napi_env env, napi_callback_info info) {
    return expand_for(env, info, FOR_HASHING, "expand");
}

/* expandWide(prk, info): number or NO_KEY */
static napi_value expand_wide(napi_env env, napi_callback_info info) {
    return expand_for(env, info, FOR_WIDE, "expandWide");
}

/* expandShort(prk, info): number or NO_KEY */
static napi_value expand_short(napi_env env, napi_callback_info info) {
    return expand_for(env, info, FOR_SHORT, "expandShort");
}

/* expandMask(prk, info): number or NO_KEY */
static napi_value expand_mask(napi_env env, napi_callback_info info) {
    return expand_for(env, info, FOR_MASK, "expandMask");
}

/* cipherLevel(limit): number. Keys of HCTR2 and the mask that are expanded from now on in this
 * thread use at most this level; the answer is the one they use. For tests and measurements. */
static napi_value cipher_level(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    int32_t limit;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "limit", LEVEL_PORTABLE, LEVEL_VAES, &limit)) {
        return NULL;
    }
    const enum level best = best_level();
    keys->level = (enum level)limit < best ? (enum level)limit : best;
    return js_int(env, (int32_t)keys->level);
}

/* mac(key, data, out: Uint8Array) */
static napi_value mac(napi_env env, napi_callback_info info) {
    napi_value args[3];
    size_t count = 3;
    struct bytes parts[3] = {{NULL, 0}}, out;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *key = arg_key(env, keys, args[0], "key", FOR_HASHING);
    if (key == NULL || !arg_bytes(env, args[1], "data", &parts[0]) ||
        !arg_exactly(env, args[2], "out", MAC_LENGTH, &out)) {
        return NULL;
    }
    return hmac(keys, key->key, KEY_LENGTH, parts, out.data) ? NULL : throw_openssl(env, "mac");
}

bool register_kdf(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"extract", extract},          {"expand", expand},
        {"expandAead", expand_aead},   {"expandWide", expand_wide},
        {"expandShort", expand_short}, {"expandMask", expand_mask},
        {"cipherLevel", cipher_level}, {"mac", mac}};
    return register_key_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
