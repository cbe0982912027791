/* HCTR2 with AES-256 (Crowley, Huckleberry, Biggers, 2021), and the mask that is made of its parts.
 *
 *   P = M ‖ N, M the first block          MM = M ⊕ H(T, N)     UU = E(MM)     S = MM ⊕ UU ⊕ L
 *   V = N ⊕ XCTR(S)                       U = UU ⊕ H(T, V)     C = U ‖ V
 *
 *   hctr2-key.c   places in locked memory, h, L and the powers of h
 *   polyval.c     POLYVAL (RFC 8452), portable and by carry-less multiplication
 *   hctr2.c       the cipher with AES from OpenSSL, the mask
 *   hctr2-vaes.c  both in 512-bit registers, where the processor has what that takes */
#ifndef GSCIP_HCTR2_H
#define GSCIP_HCTR2_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK = 16, POWERS = 16, ROUND_KEYS = 15 };
/* The same values as gateway/transform/cipher.ts. */
enum { TWEAK_SEQUENCE = 8, TWEAK_MAX = 256 };

/* Which code runs; each computes the same. A key keeps the level that it was made for. */
enum level {
    LEVEL_PORTABLE, /* POLYVAL in constant time with plain multiplications, AES from OpenSSL */
    LEVEL_CLMUL,    /* POLYVAL by carry-less multiplication, AES from OpenSSL */
    LEVEL_VAES      /* both by vector instructions; OpenSSL is not asked */
};

/* All of it is derived from one AES key and as secret. OpenSSL's schedules, where they serve, are
 * on its own heap (keys.h). */
struct hctr2_key {
    /* h^16, h^15, … h^1: the last n serve n blocks. Zeros behind, so that whole registers may be
     * read from any of them. */
    uint8_t powers[POWERS + 3][BLOCK];
    /* LEVEL_VAES: round keys in the order of their use. */
    uint8_t encrypt[ROUND_KEYS][BLOCK], decrypt[ROUND_KEYS][BLOCK];
    uint8_t whitening[BLOCK]; /* L */
    EVP_CIPHER_CTX *encryptor, *decryptor;
    struct hctr2_key *next; /* free list */
    enum level level;
};

/* The first blocks of every hash of a segment: lengths, then the tweak with zeros behind. */
struct hctr2_prefix {
    uint8_t bytes[BLOCK + TWEAK_MAX] __attribute__((aligned(64)));
    size_t blocks;
};

/* The tweak of the segment behind one of `segment` bytes: its sequence number, big-endian, goes on.
 */
static inline void hctr2_next(struct hctr2_prefix *prefix, size_t segment) {
    uint8_t *at = prefix->bytes + BLOCK + TWEAK_SEQUENCE;
    uint32_t sequence = (uint32_t)segment;
    sequence += (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    for (int i = 3; i >= 0; i--, sequence >>= 8) {
        at[i] = (uint8_t)sequence;
    }
}

/* What this processor can do. hctr2-key.c */
enum level best_level(void);

/* AES-256 by OpenSSL, of whole blocks in one direction; NULL when OpenSSL fails. hctr2-key.c */
EVP_CIPHER_CTX *aes_256(const uint8_t bytes[32], int encrypting);

/* Derives everything from 32 bytes; false when OpenSSL fails. hctr2-key.c */
bool hctr2_derive(struct hctr2_key *key, enum level level, const uint8_t bytes[32]);

/* The first `blocks` blocks of `data`, absorbed into `sum`. `level` is at most LEVEL_CLMUL.
 * polyval.c */
void polyval(uint8_t sum[BLOCK], enum level level, const uint8_t powers[POWERS][BLOCK],
             const uint8_t *data, size_t blocks);
/* out = a · b · x^-128, portable. polyval.c */
void polyval_multiply(uint8_t out[BLOCK], const uint8_t a[BLOCK], const uint8_t b[BLOCK]);

/* `length` is at most TWEAK_MAX. hctr2.c */
void hctr2_prefix(struct hctr2_prefix *prefix, const uint8_t *tweak, size_t length);

/* `count` segments, one or more, of `length` bytes, 16 or more, one behind the other; `prefix` is
 * that of the first and becomes that of the last. Source and destination are equal or apart. False
 * when OpenSSL fails. hctr2.c */
bool hctr2_run(const struct hctr2_key *key, struct hctr2_prefix *prefix, const uint8_t *source,
               uint8_t *destination, size_t length, size_t count, bool deciphering);
/* 16 bits; negative when OpenSSL fails. hctr2.c */
int32_t mask_of(const struct hctr2_key *key, const uint8_t *aad, size_t aad_length,
                const uint8_t *data, size_t length);

/* hctr2-vaes.c; only where best_level() is LEVEL_VAES. */
void vaes_schedule(struct hctr2_key *key, const uint8_t bytes[32]);
void vaes_encrypt_block(const struct hctr2_key *key, const uint8_t in[BLOCK], uint8_t out[BLOCK]);
void vaes_polyval(uint8_t sum[BLOCK], const struct hctr2_key *key, const uint8_t *data,
                  size_t length);
void vaes_run(const struct hctr2_key *key, struct hctr2_prefix *prefix, const uint8_t *source,
              uint8_t *destination, size_t length, size_t count, bool deciphering);

#endif
