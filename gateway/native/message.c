/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) for control messages. */
#include "keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

enum { NONCE_LENGTH = 24, TAG_LENGTH = 16, BLOCK_WORDS = 16 };

/* HChaCha20 (draft 2.2) is the ChaCha20 block function without its last step, which adds the
 * initial state: taken from OpenSSL's key stream by subtracting that again. Only the words that
 * make the subkey matter: 0–3 (constants) and 12–15 (counter and nonce, here 16 nonce bytes). */
static bool subkey_of(struct keys *keys, const uint8_t key[KEY_LENGTH],
                      const uint8_t nonce[NONCE_LENGTH], uint8_t out[KEY_LENGTH]) {
    static const uint8_t zeros[BLOCK_WORDS * 4];
    uint32_t block[BLOCK_WORDS], initial[8];
    int written;
    memcpy(initial, "expand 32-byte k", 16);
    memcpy(initial + 4, nonce, 16);
    bool ok =
        EVP_CipherInit_ex2(keys->chacha20, NULL, key, nonce, 1, NULL) == 1 &&
        EVP_CipherUpdate(keys->chacha20, (uint8_t *)block, &written, zeros, sizeof zeros) == 1;
    ok = EVP_CipherInit_ex2(keys->chacha20, NULL, zeros, zeros, 1, NULL) == 1 && ok;
    for (int i = 0; i < 4; i++) {
        block[i] -= initial[i];
        block[12 + i] -= initial[4 + i];
    }
    memcpy(out, block, 16);
    memcpy(out + 16, block + 12, 16);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

static bool update(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *in, size_t length) {
    int written;
    return length == 0 || EVP_CipherUpdate(context, out, &written, in, (int)length) == 1;
}

/* `tag` is written when sealing and compared, in constant time, when opening. */
static bool run(struct keys *keys, bool sealing, const uint8_t key[KEY_LENGTH],
                const uint8_t nonce[NONCE_LENGTH], struct bytes aad, struct bytes in, uint8_t *out,
                uint8_t tag[TAG_LENGTH]) {
    static const uint8_t zeros[KEY_LENGTH];
    uint8_t subkey[KEY_LENGTH], iv[12] = {0}, rest[TAG_LENGTH];
    int written;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TAG_LENGTH),
        OSSL_PARAM_construct_end()};
    memcpy(iv + 4, nonce + 16, 8);
    bool ok = subkey_of(keys, key, nonce, subkey) &&
              EVP_CipherInit_ex2(keys->message, NULL, subkey, iv, sealing,
                                 sealing ? NULL : params) == 1 &&
              update(keys->message, NULL, aad.data, aad.length) &&
              update(keys->message, out, in.data, in.length) &&
              EVP_CipherFinal_ex(keys->message, rest, &written) == 1 &&
              (!sealing || EVP_CIPHER_CTX_get_params(keys->message, params) == 1);
    OPENSSL_cleanse(subkey, sizeof subkey);
    return EVP_CipherInit_ex2(keys->message, NULL, zeros, zeros, 1, NULL) == 1 && ok;
}

static bool message_args(napi_env env, napi_callback_info info, struct keys **keys,
                         struct place **key, struct bytes *nonce, struct bytes *aad,
                         struct bytes *in, struct bytes *out) {
    napi_value args[5];
    size_t count = 5;
    return (*keys = keys_of(env)) != NULL &&
           napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok &&
           (*key = arg_key(env, *keys, args[0], "key", FOR_HASHING)) != NULL &&
           arg_exactly(env, args[1], "nonce", NONCE_LENGTH, nonce) &&
           arg_bytes(env, args[2], "aad", aad) && arg_bytes(env, args[3], "input", in) &&
           arg_bytes(env, args[4], "output", out);
}

/* Lengths that EVP takes as int, and an output of exactly the right size. */
static bool sizes_fit(napi_env env, struct bytes aad, struct bytes in, struct bytes out,
                      int64_t grows) {
    if (aad.length > INT32_MAX || in.length > INT32_MAX - TAG_LENGTH ||
        (int64_t)out.length != (int64_t)in.length + grows) {
        throw_range(env, "output: the input's length, with or without a 16-byte tag, expected");
        return false;
    }
    return true;
}

/* sealMessage(key, nonce, aad, plaintext, sealed: Uint8Array) */
static napi_value seal_message(napi_env env, napi_callback_info info) {
    struct keys *keys;
    struct place *key;
    struct bytes nonce, aad, in, out;
    if (!message_args(env, info, &keys, &key, &nonce, &aad, &in, &out) ||
        !sizes_fit(env, aad, in, out, TAG_LENGTH)) {
        return NULL;
    }
    if (!run(keys, true, key->key, nonce.data, aad, in, out.data, out.data + in.length)) {
        OPENSSL_cleanse(out.data, out.length);
        return throw_openssl(env, "sealMessage");
    }
    return NULL;
}

/* openMessage(key, nonce, aad, sealed, plaintext: Uint8Array): boolean */
static napi_value open_message(napi_env env, napi_callback_info info) {
    struct keys *keys;
    struct place *key;
    struct bytes nonce, aad, in, out;
    napi_value verified = NULL;
    if (!message_args(env, info, &keys, &key, &nonce, &aad, &in, &out) ||
        !sizes_fit(env, aad, in, out, -TAG_LENGTH)) {
        return NULL;
    }
    uint8_t *tag = in.data + out.length;
    in.length = out.length;
    bool ok = run(keys, false, key->key, nonce.data, aad, in, out.data, tag);
    if (!ok) {
        ERR_clear_error();
        OPENSSL_cleanse(out.data, out.length);
    }
    napi_get_boolean(env, ok, &verified);
    return verified;
}

bool register_messages(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"sealMessage", seal_message},
                                                {"openMessage", open_message}};
    return register_key_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
