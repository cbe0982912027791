/* FF1 with AES-256 (NIST SP 800-38G, 5.1) for segments of 1 to 15 bytes.
 *
 * 3 bytes and more are numerals of radix 256; 1 and 2 bytes are 2 and 4 numerals of radix 16, high
 * nibble first, which is obfuscation only. Both radices are powers of two: a half is an integer of
 * so many bits, and its modulus a mask. The longest half has 8 bytes, so that S is one block (b <=
 * 8, d <= 12), and of Q only the last block changes from round to round: the CBC-MAC of all before
 * it is taken once. */
#include "ff1.h"

#include <openssl/evp.h>
#include <string.h>

enum { BLOCK = 16, ROUNDS = 10 };

/* One step of CBC-MAC. */
static bool absorb(EVP_CIPHER_CTX *context, uint8_t sum[BLOCK], const uint8_t block[BLOCK]) {
    for (int i = 0; i < BLOCK; i++) {
        sum[i] ^= block[i];
    }
    return EVP_Cipher(context, sum, sum, BLOCK) == BLOCK;
}

/* Big-endian. */
static uint64_t number(const uint8_t *bytes, size_t length) {
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static void put_number(uint8_t *bytes, size_t length, uint64_t value) {
    for (size_t i = length; i-- > 0; value >>= 8) {
        bytes[i] = (uint8_t)value;
    }
}

/* Bits of a half; u of the left one, v of the right one, in bits. */
struct halves {
    unsigned u, v;
    uint64_t left, right;
};

static uint64_t low_bits(uint64_t value, unsigned bits) {
    return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static struct halves split(const uint8_t *data, size_t length) {
    if (length == 1) {
        return (struct halves){4, 4, data[0] >> 4, data[0] & 15};
    }
    const size_t u = length / 2;
    return (struct halves){(unsigned)u * 8, (unsigned)(length - u) * 8, number(data, u),
                           number(data + u, length - u)};
}

static void join(uint8_t *data, size_t length, const struct halves *x) {
    if (length == 1) {
        data[0] = (uint8_t)(x->left << 4 | x->right);
        return;
    }
    put_number(data, length / 2, x->left);
    put_number(data + length / 2, length - length / 2, x->right);
}

/* Steps 1–5, and of step 6 all that no round changes: `sum` is the CBC-MAC of P and of Q's first
 * blocks, `last` Q's last block without [i] and [NUM(B)]. */
static bool prepare(EVP_CIPHER_CTX *context, size_t length, const uint8_t *tweak,
                    size_t tweak_length, size_t b, uint8_t sum[BLOCK], uint8_t last[BLOCK]) {
    const bool nibbles = length < 3;
    const unsigned radix = nibbles ? 16 : 256;
    const uint32_t numerals = (uint32_t)(nibbles ? 2 * length : length);
    uint8_t p[BLOCK] = {
        1, 2, 1, 0, (uint8_t)(radix >> 8), (uint8_t)radix, ROUNDS, (uint8_t)(numerals / 2)};
    put_number(p + 8, 4, numerals);
    put_number(p + 12, 4, tweak_length);
    memset(sum, 0, BLOCK);
    bool ok = absorb(context, sum, p);
    for (; ok && tweak_length >= BLOCK; tweak += BLOCK, tweak_length -= BLOCK) {
        ok = absorb(context, sum, tweak);
    }
    memset(last, 0, BLOCK);
    memcpy(last, tweak, tweak_length);
    /* Where [i] and [NUM(B)] do not fit behind the rest of the tweak, zeros fill its block. */
    if (ok && tweak_length + 1 + b > BLOCK) {
        ok = absorb(context, sum, last);
        memset(last, 0, BLOCK);
    }
    return ok;
}

/* Step 6i–6v of round i: y modulo the modulus of any half. */
static bool round_of(EVP_CIPHER_CTX *context, const uint8_t sum[BLOCK], const uint8_t last[BLOCK],
                     int i, uint64_t other, size_t b, uint64_t *y) {
    uint8_t r[BLOCK], q[BLOCK];
    memcpy(r, sum, BLOCK);
    memcpy(q, last, BLOCK);
    q[BLOCK - 1 - b] = (uint8_t)i;
    put_number(q + BLOCK - b, b, other);
    if (!absorb(context, r, q)) {
        return false;
    }
    const size_t d = 4 * ((b + 3) / 4) + 4;
    *y = number(r + d - 8, 8);
    return true;
}

bool ff1_run(EVP_CIPHER_CTX *context, const uint8_t *tweak, size_t tweak_length,
             const uint8_t *source, uint8_t *destination, size_t length, bool deciphering) {
    struct halves x = split(source, length);
    const size_t b = (x.v + 7) / 8;
    uint8_t sum[BLOCK], last[BLOCK];
    uint64_t y;
    if (!prepare(context, length, tweak, tweak_length, b, sum, last)) {
        return false;
    }
    /* Even rounds change the left half by the right one, odd rounds the right one by the left: the
     * standard's exchange of A and B, without moving them. */
    for (int step = 0; step < ROUNDS; step++) {
        const int i = deciphering ? ROUNDS - 1 - step : step;
        uint64_t *changed = i % 2 == 0 ? &x.left : &x.right;
        if (!round_of(context, sum, last, i, i % 2 == 0 ? x.right : x.left, b, &y)) {
            return false;
        }
        *changed = low_bits(deciphering ? *changed - y : *changed + y, i % 2 == 0 ? x.u : x.v);
    }
    join(destination, length, &x);
    return true;
}
