/* X25519 (RFC 7748). */
#include "keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/random.h>

static bool public_of(const uint8_t secret[KEY_LENGTH], uint8_t out[KEY_LENGTH]) {
    size_t length = KEY_LENGTH;
    EVP_PKEY *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, KEY_LENGTH);
    bool ok = pair != NULL && EVP_PKEY_get_raw_public_key(pair, out, &length) == 1;
    EVP_PKEY_free(pair);
    return ok;
}

/* OpenSSL computes the public half of a raw secret, which is half of the cost of an exchange and
 * not needed for it. Given one, whatever it is, it takes that. */
static EVP_PKEY *secret_alone(uint8_t secret[KEY_LENGTH]) {
    uint8_t unused[KEY_LENGTH] = {9};
    OSSL_PARAM halves[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, secret, KEY_LENGTH),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, unused, KEY_LENGTH),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *pair = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pair, EVP_PKEY_KEYPAIR, halves) != 1) {
        pair = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return pair;
}

/* generateKeyPair(publicKey: Uint8Array): number or NO_KEY */
static napi_value generate_key_pair(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    struct bytes out;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_exactly(env, args[0], "publicKey", KEY_LENGTH, &out)) {
        return NULL;
    }
    struct place *place = take_key(keys, FOR_EXCHANGE);
    if (place == NULL) {
        return js_int(env, NO_KEY);
    }
    if (getrandom(place->key, KEY_LENGTH, 0) != KEY_LENGTH || !public_of(place->key, out.data)) {
        drop_key(keys, place);
        return throw_openssl(env, "generateKeyPair");
    }
    return js_key(env, keys, place);
}

/* publicKey(secret, publicKey: Uint8Array) */
static napi_value public_key(napi_env env, napi_callback_info info) {
    napi_value args[2];
    size_t count = 2;
    struct bytes out;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *secret = arg_key(env, keys, args[0], "secret", FOR_EXCHANGE);
    if (secret == NULL || !arg_exactly(env, args[1], "publicKey", KEY_LENGTH, &out)) {
        return NULL;
    }
    return public_of(secret->key, out.data) ? NULL : throw_openssl(env, "publicKey");
}

/* exchange(secret, peer): number or NO_KEY, -1 when the result is all zero */
static napi_value exchange(napi_env env, napi_callback_info info) {
    napi_value args[2];
    size_t count = 2, length = KEY_LENGTH;
    struct bytes peer;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *secret = arg_key(env, keys, args[0], "secret", FOR_EXCHANGE);
    if (secret == NULL || !arg_exactly(env, args[1], "peer", KEY_LENGTH, &peer)) {
        return NULL;
    }
    struct place *place = take_key(keys, FOR_HASHING);
    if (place == NULL) {
        return js_int(env, NO_KEY);
    }
    EVP_PKEY *ours = secret_alone(secret->key);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer.data, KEY_LENGTH);
    EVP_PKEY_CTX *context = ours != NULL ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
    bool ready = theirs != NULL && context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                 EVP_PKEY_derive_set_peer_ex(context, theirs, 0) == 1;
    /* What fails once all is ready is OpenSSL's own refusal of an all-zero result. */
    bool agreed = ready && EVP_PKEY_derive(context, place->key, &length) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(ours);
    if (!agreed) {
        drop_key(keys, place);
        ERR_clear_error();
        return ready ? js_int(env, -1) : throw_openssl(env, "exchange");
    }
    return js_key(env, keys, place);
}

bool register_exchange(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"generateKeyPair", generate_key_pair}, {"publicKey", public_key}, {"exchange", exchange}};
    return register_key_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
