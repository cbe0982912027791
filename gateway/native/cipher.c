/* Cipher jobs: all of a batch are checked, then all are run, in order, in one call.
 *
 *   AEAD nonce = 4-byte salt ‖ 64-bit packet number, big-endian (docs/transforms.md) */
#include "ff1.h"
#include "keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* One context serves both directions: neither algorithm's key schedule depends on it. */
bool key_aead(struct place *place, int32_t algorithm, const uint8_t key[KEY_LENGTH]) {
    place->context = EVP_CIPHER_CTX_new();
    return place->context != NULL &&
           EVP_CipherInit_ex2(place->context,
                              algorithm == AES_256_GCM ? EVP_aes_256_gcm()
                                                       : EVP_chacha20_poly1305(),
                              key, NULL, 1, NULL) == 1;
}

/* Lengths are not negative here. */
static bool apart(int64_t a, int64_t a_length, int64_t b, int64_t b_length) {
    return a_length == 0 || b_length == 0 || a + a_length <= b || b + b_length <= a;
}

static bool serves(const struct keys *keys, int32_t index, uint32_t uses) {
    const struct place *place = find_key(keys, index);
    return place != NULL && place->uses == uses;
}

static const char *aead_fault(const struct keys *keys, size_t size, const int32_t *job) {
    if (!serves(keys, job[J_KEY], FOR_JOBS)) {
        return "J_KEY names no AEAD key, or one that was released";
    }
    if (job[J_TAG_LENGTH] != 12 && job[J_TAG_LENGTH] != 16) {
        return "J_TAG_LENGTH is neither 12 nor 16";
    }
    if (!range_fits(size, job[J_TAG], job[J_TAG_LENGTH])) {
        return "J_TAG and J_TAG_LENGTH leave the slab";
    }
    if (!apart(job[J_TAG], job[J_TAG_LENGTH], job[J_DST], job[J_LENGTH]) ||
        !apart(job[J_TAG], job[J_TAG_LENGTH], job[J_AAD], job[J_AAD_LENGTH])) {
        return "tag overlaps destination or authenticated data";
    }
    return NULL;
}

static const char *length_preserving_fault(const struct keys *keys, const int32_t *job) {
    const int32_t length = job[J_LENGTH];
    if (job[J_SEGMENT] < 0) {
        return "J_SEGMENT is negative";
    }
    if (job[J_AAD_LENGTH] > TWEAK_MAX) {
        return "J_AAD_LENGTH is above TWEAK_MAX";
    }
    const int32_t segment = job[J_SEGMENT] == 0 ? length : job[J_SEGMENT];
    if (length > segment && job[J_AAD_LENGTH] < TWEAK_SEQUENCE + 4) {
        return "several segments, and J_AAD_LENGTH leaves the sequence number out of the tweak";
    }
    if (!serves(keys, job[J_KEY], FOR_WIDE)) {
        return "J_KEY names no HCTR2 key, or one that was released";
    }
    const int32_t last = length > 0 ? (length - 1) % segment + 1 : 0;
    if (last > 0 && (last < WIDE_FROM || segment < WIDE_FROM) &&
        !serves(keys, job[J_SHORT_KEY], FOR_SHORT)) {
        return "a segment is shorter than 16 bytes, and J_SHORT_KEY names no FF1 key, or one that "
               "was released";
    }
    return NULL;
}

/* What is wrong with a job, or NULL. */
static const char *job_fault(const struct keys *keys, size_t size, const int32_t *job) {
    if (job[J_OP] < OP_SEAL || job[J_OP] > OP_MASK) {
        return "J_OP is none of OP_SEAL, OP_OPEN, OP_SUM, OP_ENCIPHER, OP_DECIPHER, OP_MASK";
    }
    if (!range_fits(size, job[J_SRC], job[J_LENGTH])) {
        return "J_SRC and J_LENGTH leave the slab";
    }
    if (job[J_OP] == OP_SUM) {
        return NULL;
    }
    if (!range_fits(size, job[J_AAD], job[J_AAD_LENGTH])) {
        return "J_AAD and J_AAD_LENGTH leave the slab";
    }
    if (job[J_OP] == OP_MASK) {
        return serves(keys, job[J_KEY], FOR_MASK)
                   ? NULL
                   : "J_KEY names no mask key, or one that was released";
    }
    if (!range_fits(size, job[J_DST], job[J_LENGTH])) {
        return "J_DST and J_LENGTH leave the slab";
    }
    if (job[J_SRC] != job[J_DST] && !apart(job[J_SRC], job[J_LENGTH], job[J_DST], job[J_LENGTH])) {
        return "source and destination overlap and are not equal";
    }
    if (!apart(job[J_AAD], job[J_AAD_LENGTH], job[J_DST], job[J_LENGTH])) {
        return "authenticated data or tweak and destination overlap";
    }
    return job[J_OP] == OP_SEAL || job[J_OP] == OP_OPEN ? aead_fault(keys, size, job)
                                                        : length_preserving_fault(keys, job);
}

/* The hot path. Only the nonce is set per packet, and the tag travels as a prepared parameter:
 * EVP_CIPHER_CTX_ctrl costs twice as much as the AEAD of a 64-byte packet's remaining calls. */
static bool run_aead(const struct place *place, uint8_t *slab, const int32_t *job) {
    const bool sealing = job[J_OP] == OP_SEAL;
    EVP_CIPHER_CTX *context = place->context;
    OSSL_PARAM tag[] = {{OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, slab + job[J_TAG],
                         (size_t)job[J_TAG_LENGTH], OSSL_PARAM_UNMODIFIED},
                        {NULL, 0, NULL, 0, 0}};
    uint8_t nonce[12], rest[16];
    int written;
    const uint32_t high = __builtin_bswap32((uint32_t)job[J_NUMBER_HIGH]);
    const uint32_t low = __builtin_bswap32((uint32_t)job[J_NUMBER_LOW]);
    memcpy(nonce, place->salt, SALT_LENGTH);
    memcpy(nonce + 4, &high, 4);
    memcpy(nonce + 8, &low, 4);
    return EVP_CipherInit_ex2(context, NULL, NULL, nonce, sealing, sealing ? NULL : tag) == 1 &&
           (job[J_AAD_LENGTH] == 0 ||
            EVP_CipherUpdate(context, NULL, &written, slab + job[J_AAD], job[J_AAD_LENGTH]) == 1) &&
           (job[J_LENGTH] == 0 || EVP_CipherUpdate(context, slab + job[J_DST], &written,
                                                   slab + job[J_SRC], job[J_LENGTH]) == 1) &&
           EVP_CipherFinal_ex(context, rest, &written) == 1 &&
           (!sealing || EVP_CIPHER_CTX_get_params(context, tag) == 1);
}

/* `count` equal segments. The tweak of each is HCTR2's prefix without its first block, and FF1's
 * tweak; `prefix` is left at the last. */
static bool run_equal(const struct keys *keys, const int32_t *job, struct hctr2_prefix *prefix,
                      const uint8_t *source, uint8_t *destination, size_t length, size_t count) {
    const bool deciphering = job[J_OP] == OP_DECIPHER;
    if (length >= WIDE_FROM) {
        return hctr2_run(find_key(keys, job[J_KEY])->hctr2, prefix, source, destination, length,
                         count, deciphering);
    }
    EVP_CIPHER_CTX *context = find_key(keys, job[J_SHORT_KEY])->context;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            hctr2_next(prefix, length);
        }
        if (!ff1_run(context, prefix->bytes + BLOCK, (size_t)job[J_AAD_LENGTH], source + i * length,
                     destination + i * length, length, deciphering)) {
            return false;
        }
    }
    return true;
}

/* All segments of J_SEGMENT bytes, then the rest. */
static bool run_segments(const struct keys *keys, uint8_t *slab, const int32_t *job) {
    const size_t length = (size_t)job[J_LENGTH];
    const size_t segment = job[J_SEGMENT] == 0 ? length : (size_t)job[J_SEGMENT];
    const size_t count = length > 0 ? length / segment : 0, rest = length - count * segment;
    const uint8_t *source = slab + job[J_SRC];
    uint8_t *destination = slab + job[J_DST];
    struct hctr2_prefix prefix;
    hctr2_prefix(&prefix, slab + job[J_AAD], (size_t)job[J_AAD_LENGTH]);
    if (count > 0 && !run_equal(keys, job, &prefix, source, destination, segment, count)) {
        return false;
    }
    if (count > 0 && rest > 0) {
        hctr2_next(&prefix, segment);
    }
    return rest == 0 || run_equal(keys, job, &prefix, source + count * segment,
                                  destination + count * segment, rest, 1);
}

static void run_job(const struct keys *keys, uint8_t *slab, int32_t *job) {
    bool ok;
    switch (job[J_OP]) {
    case OP_SUM:
        job[J_STATUS] =
            (int32_t)sum16(slab + job[J_SRC], (size_t)job[J_LENGTH], (uint32_t)job[J_AAD]);
        return;
    case OP_MASK:
        job[J_STATUS] =
            mask_of(find_key(keys, job[J_KEY])->hctr2, slab + job[J_AAD], (size_t)job[J_AAD_LENGTH],
                    slab + job[J_SRC], (size_t)job[J_LENGTH]);
        return;
    case OP_ENCIPHER:
    case OP_DECIPHER:
        ok = run_segments(keys, slab, job);
        break;
    default:
        ok = run_aead(find_key(keys, job[J_KEY]), slab, job);
    }
    if (ok) {
        job[J_STATUS] = STATUS_OK;
        return;
    }
    /* Neither plaintext that nobody vouches for nor, should OpenSSL ever fail, plaintext that was
     * to be hidden stays behind. */
    OPENSSL_cleanse(slab + job[J_DST], (size_t)job[J_LENGTH]);
    ERR_clear_error();
    job[J_STATUS] = STATUS_FORGED;
}

/* Jobs are read again after they were checked: nobody else may write to them meanwhile. */
static bool jobs_are_ours(napi_env env, napi_value jobs) {
    napi_value buffer;
    bool plain = false;
    return napi_get_typedarray_info(env, jobs, NULL, NULL, NULL, &buffer, NULL) == napi_ok &&
           napi_is_arraybuffer(env, buffer, &plain) == napi_ok && plain;
}

/* runJobs(slab, jobs: Int32Array, count) */
static napi_value run_jobs(napi_env env, napi_callback_info info) {
    napi_value args[3];
    size_t arguments = 3, columns;
    struct bytes slab;
    int32_t *jobs, count;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &arguments, args, NULL, NULL) != napi_ok ||
        !arg_bytes(env, args[0], "slab", &slab) ||
        !arg_int32s(env, args[1], "jobs", &jobs, &columns) ||
        !arg_int(env, args[2], "count", 0, INT32_MAX, &count)) {
        return NULL;
    }
    if ((size_t)count > columns / J_STRIDE) {
        return throw_range(env, "count: more jobs than the array holds");
    }
    if (count == 0) {
        return NULL;
    }
    const uintptr_t s = (uintptr_t)slab.data, j = (uintptr_t)jobs;
    if (!jobs_are_ours(env, args[1]) ||
        (slab.length > 0 && s < j + columns * sizeof *jobs && j < s + slab.length)) {
        return throw_range(env,
                           "jobs: memory that is neither shared nor part of the slab expected");
    }
    for (int32_t i = 0; i < count; i++) {
        const char *fault = job_fault(keys, slab.length, jobs + (size_t)i * J_STRIDE);
        if (fault != NULL) {
            char message[120];
            snprintf(message, sizeof message, "job %d: %s", i, fault);
            return throw_range(env, message);
        }
    }
    for (int32_t i = 0; i < count; i++) {
        run_job(keys, slab.data, jobs + (size_t)i * J_STRIDE);
    }
    return NULL;
}

/* aesInHardware(): boolean; AES and carry-less multiplication, which GCM needs both. */
static napi_value aes_in_hardware(napi_env env, napi_callback_info info) {
    napi_value out;
#if defined(__x86_64__)
    bool fast = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    const unsigned long wanted = HWCAP_AES | HWCAP_PMULL;
    bool fast = (getauxval(AT_HWCAP) & wanted) == wanted;
#else
    bool fast = false;
#endif
    return napi_get_boolean(env, fast, &out) == napi_ok ? out : NULL;
}

bool register_ciphers(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"runJobs", run_jobs},
                                                {"aesInHardware", aes_in_hardware}};
    return register_key_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
