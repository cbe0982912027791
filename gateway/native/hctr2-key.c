/* Keys of HCTR2 and of the mask: where they are, what they are derived to, and for which code. */
#include "keys.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

enum { CHUNK_SIZE = 65536, CHUNK_KEYS = (CHUNK_SIZE - 64) / sizeof(struct hctr2_key) };

struct hctr2_chunk {
    struct hctr2_chunk *next;
    struct hctr2_key keys[CHUNK_KEYS] __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct hctr2_chunk) <= CHUNK_SIZE, "a chunk");

size_t hctr2_memory(size_t count) {
    return (count + CHUNK_KEYS - 1) / CHUNK_KEYS * CHUNK_SIZE;
}

static bool add_chunk(struct keys *keys) {
    struct hctr2_chunk *chunk = locked_memory(CHUNK_SIZE);
    if (chunk == NULL) {
        return false;
    }
    chunk->next = keys->chunks;
    keys->chunks = chunk;
    for (size_t i = 0; i < CHUNK_KEYS; i++) {
        chunk->keys[i].next = keys->free_hctr2;
        keys->free_hctr2 = &chunk->keys[i];
    }
    return true;
}

struct hctr2_key *take_hctr2(struct keys *keys) {
    if (keys->free_hctr2 == NULL && !add_chunk(keys)) {
        return NULL;
    }
    struct hctr2_key *key = keys->free_hctr2;
    keys->free_hctr2 = key->next;
    return key;
}

void drop_hctr2(struct keys *keys, struct hctr2_key *key) {
    EVP_CIPHER_CTX_free(key->encryptor);
    EVP_CIPHER_CTX_free(key->decryptor);
    OPENSSL_cleanse(key, sizeof *key);
    key->next = keys->free_hctr2;
    keys->free_hctr2 = key;
}

void close_hctr2(struct keys *keys) {
    while (keys->chunks != NULL) {
        struct hctr2_chunk *next = keys->chunks->next;
        munmap(keys->chunks, CHUNK_SIZE);
        keys->chunks = next;
    }
}

enum level best_level(void) {
#if defined(__x86_64__)
    unsigned a, b, c = 0, d;
    const unsigned vaes = 1u << 9, vpclmulqdq = 1u << 10; /* CPUID 7.0, ECX */
    if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1")) {
        return LEVEL_PORTABLE;
    }
    /* cpu_supports asks too whether the kernel saves the registers. */
    if (__builtin_cpu_supports("aes") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & vaes) && (c & vpclmulqdq)) {
        return LEVEL_VAES;
    }
    return LEVEL_CLMUL;
#elif defined(__aarch64__)
    return getauxval(AT_HWCAP) & HWCAP_PMULL ? LEVEL_CLMUL : LEVEL_PORTABLE;
#else
    return LEVEL_PORTABLE;
#endif
}

EVP_CIPHER_CTX *aes_256(const uint8_t bytes[32], int encrypting) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL &&
        EVP_CipherInit_ex2(context, EVP_aes_256_ecb(), bytes, NULL, encrypting, NULL) == 1) {
        return context;
    }
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

/* h = E(0), L = E(1) (HCTR2, figure 1). */
static bool derive_blocks(struct hctr2_key *key, const uint8_t bytes[32], uint8_t out[2 * BLOCK]) {
    static const uint8_t zero_and_one[2 * BLOCK] = {[BLOCK] = 1};
#if defined(__x86_64__)
    if (key->level == LEVEL_VAES) {
        vaes_schedule(key, bytes);
        vaes_encrypt_block(key, zero_and_one, out);
        vaes_encrypt_block(key, zero_and_one + BLOCK, out + BLOCK);
        return true;
    }
#endif
    key->encryptor = aes_256(bytes, 1);
    key->decryptor = aes_256(bytes, 0);
    return key->encryptor != NULL && key->decryptor != NULL &&
           EVP_Cipher(key->encryptor, out, zero_and_one, 2 * BLOCK) == 2 * BLOCK;
}

bool hctr2_derive(struct hctr2_key *key, enum level level, const uint8_t bytes[32]) {
    uint8_t blocks[2 * BLOCK];
    key->level = level;
    const bool derived = derive_blocks(key, bytes, blocks);
    if (derived) {
        memcpy(key->powers[POWERS - 1], blocks, BLOCK);
        memcpy(key->whitening, blocks + BLOCK, BLOCK);
    }
    OPENSSL_cleanse(blocks, sizeof blocks);
    for (int i = POWERS - 1; derived && i > 0; i--) {
        polyval_multiply(key->powers[i - 1], key->powers[i], key->powers[POWERS - 1]);
    }
    return derived;
}
