/* POLYVAL (RFC 8452, 3): blocks are little-endian polynomials, and a product a · b · x^-128 is
 * taken modulo x^128 + x^127 + x^126 + x^121 + 1.
 *
 * The portable code has neither table nor branch that depends on a secret. The other is written
 * once over a handful of operations that x86-64 and arm64 both have. */
#include "hctr2.h"

#include <string.h>

static inline uint64_t load64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store64(uint8_t *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

/* The low 64 bits of a carry-less product. Each factor is split into four with three zero bits
 * between any two of its own: carries of the integer product then end before they reach a bit that
 * counts (Pornin, BearSSL, ghash_ctmul64). */
static inline uint64_t clmul_low(uint64_t x, uint64_t y) {
    const uint64_t m = 0x1111111111111111;
    const uint64_t x0 = x & m, x1 = x & m << 1, x2 = x & m << 2, x3 = x & m << 3;
    const uint64_t y0 = y & m, y1 = y & m << 1, y2 = y & m << 2, y3 = y & m << 3;
    const uint64_t z0 = x0 * y0 ^ x1 * y3 ^ x2 * y2 ^ x3 * y1;
    const uint64_t z1 = x0 * y1 ^ x1 * y0 ^ x2 * y3 ^ x3 * y2;
    const uint64_t z2 = x0 * y2 ^ x1 * y1 ^ x2 * y0 ^ x3 * y3;
    const uint64_t z3 = x0 * y3 ^ x1 * y2 ^ x2 * y1 ^ x3 * y0;
    return (z0 & m) | (z1 & m << 1) | (z2 & m << 2) | (z3 & m << 3);
}

static inline uint64_t swap_bits(uint64_t x, int by, uint64_t mask) {
    return (x & mask) << by | (x >> by & mask);
}

static inline uint64_t reverse(uint64_t x) {
    x = swap_bits(x, 1, 0x5555555555555555);
    x = swap_bits(x, 2, 0x3333333333333333);
    x = swap_bits(x, 4, 0x0f0f0f0f0f0f0f0f);
    return __builtin_bswap64(x);
}

/* The high 64 bits are the low ones of the mirrored factors, mirrored. */
static inline uint64_t clmul_high(uint64_t x_reversed, uint64_t y_reversed) {
    return reverse(clmul_low(x_reversed, y_reversed)) >> 1;
}

static void multiply(uint64_t out[2], const uint64_t a[2], const uint64_t b[2]) {
    const uint64_t a0r = reverse(a[0]), a1r = reverse(a[1]);
    const uint64_t b0r = reverse(b[0]), b1r = reverse(b[1]);
    const uint64_t low = clmul_low(a[0], b[0]), low_high = clmul_high(a0r, b0r);
    const uint64_t high = clmul_low(a[1], b[1]), high_high = clmul_high(a1r, b1r);
    const uint64_t mid = clmul_low(a[0] ^ a[1], b[0] ^ b[1]) ^ low ^ high;
    const uint64_t mid_high = clmul_high(a0r ^ a1r, b0r ^ b1r) ^ low_high ^ high_high;
    uint64_t v0 = low, v1 = low_high ^ mid, v2 = high ^ mid_high, v3 = high_high;
    v1 ^= v0 << 63 ^ v0 << 62 ^ v0 << 57;
    v2 ^= v0 ^ v0 >> 1 ^ v0 >> 2 ^ v0 >> 7;
    v2 ^= v1 << 63 ^ v1 << 62 ^ v1 << 57;
    v3 ^= v1 ^ v1 >> 1 ^ v1 >> 2 ^ v1 >> 7;
    out[0] = v2;
    out[1] = v3;
}

void polyval_multiply(uint8_t out[BLOCK], const uint8_t a[BLOCK], const uint8_t b[BLOCK]) {
    const uint64_t x[2] = {load64(a), load64(a + 8)}, y[2] = {load64(b), load64(b + 8)};
    uint64_t z[2];
    multiply(z, x, y);
    store64(out, z[0]);
    store64(out + 8, z[1]);
}

static void portable(uint8_t sum[BLOCK], const uint8_t h[BLOCK], const uint8_t *data,
                     size_t blocks) {
    const uint64_t y[2] = {load64(h), load64(h + 8)};
    uint64_t x[2] = {load64(sum), load64(sum + 8)};
    for (; blocks > 0; blocks--, data += BLOCK) {
        x[0] ^= load64(data);
        x[1] ^= load64(data + 8);
        multiply(x, x, y);
    }
    store64(sum, x[0]);
    store64(sum + 8, x[1]);
}

#if defined(__x86_64__)
#include <immintrin.h>
#define CLMUL __attribute__((always_inline, target("pclmul,sse4.1"))) static inline
#define CLMUL_ENTRY __attribute__((target("pclmul,sse4.1"))) static
typedef __m128i block;
CLMUL block load(const uint8_t *at) {
    return _mm_loadu_si128((const void *)at);
}
CLMUL void store(uint8_t *at, block x) {
    _mm_storeu_si128((void *)at, x);
}
CLMUL block zero(void) {
    return _mm_setzero_si128();
}
CLMUL block xor2(block a, block b) {
    return _mm_xor_si128(a, b);
}
CLMUL block low_low(block a, block b) {
    return _mm_clmulepi64_si128(a, b, 0x00);
}
CLMUL block high_high(block a, block b) {
    return _mm_clmulepi64_si128(a, b, 0x11);
}
CLMUL block up(block x) {
    return _mm_slli_si128(x, 8);
}
CLMUL block down(block x) {
    return _mm_srli_si128(x, 8);
}
CLMUL block swap(block x) {
    return _mm_shuffle_epi32(x, 0x4e);
}
CLMUL block modulus(void) {
    return _mm_set1_epi64x((long long)0xc200000000000000);
}
#elif defined(__aarch64__)
#include <arm_neon.h>
#ifdef __clang__
#define PMULL target("crypto")
#else
#define PMULL target("+crypto")
#endif
#define CLMUL __attribute__((always_inline, PMULL)) static inline
#define CLMUL_ENTRY __attribute__((PMULL)) static
typedef uint64x2_t block;
CLMUL block product(uint64_t a, uint64_t b) {
    return vreinterpretq_u64_p128(vmull_p64((poly64_t)a, (poly64_t)b));
}
CLMUL block load(const uint8_t *at) {
    return vreinterpretq_u64_u8(vld1q_u8(at));
}
CLMUL void store(uint8_t *at, block x) {
    vst1q_u8(at, vreinterpretq_u8_u64(x));
}
CLMUL block zero(void) {
    return vdupq_n_u64(0);
}
CLMUL block xor2(block a, block b) {
    return veorq_u64(a, b);
}
CLMUL block low_low(block a, block b) {
    return product(a[0], b[0]);
}
CLMUL block high_high(block a, block b) {
    return vreinterpretq_u64_p128(
        vmull_high_p64(vreinterpretq_p64_u64(a), vreinterpretq_p64_u64(b)));
}
CLMUL block up(block x) {
    return vextq_u64(zero(), x, 1);
}
CLMUL block down(block x) {
    return vextq_u64(x, zero(), 1);
}
CLMUL block swap(block x) {
    return vextq_u64(x, x, 1);
}
CLMUL block modulus(void) {
    return vdupq_n_u64(0xc200000000000000);
}
#endif

#ifdef CLMUL
CLMUL block folded(block x) {
    return xor2(x, swap(x));
}

/* Karatsuba's three products for a block; many are summed before the one reduction, which costs as
 * much as two of them. */
CLMUL block absorb(block sum, const uint8_t *powers, const uint8_t *data, size_t blocks) {
    block low = zero(), mid = zero(), high = zero();
    for (size_t i = 0; i < blocks; i++, sum = zero()) {
        const block h = load(powers + i * BLOCK);
        const block x = xor2(sum, load(data + i * BLOCK));
        low = xor2(low, low_low(x, h));
        high = xor2(high, high_high(x, h));
        mid = xor2(mid, low_low(folded(x), folded(h)));
    }
    mid = xor2(mid, xor2(low, high));
    low = xor2(low, up(mid));
    high = xor2(high, down(mid));
    low = xor2(swap(low), low_low(low, modulus()));
    low = xor2(swap(low), low_low(low, modulus()));
    return xor2(high, low);
}

CLMUL_ENTRY void carry_less(uint8_t sum[BLOCK], const uint8_t powers[POWERS][BLOCK],
                            const uint8_t *data, size_t blocks) {
    block x = load(sum);
    for (; blocks >= POWERS; blocks -= POWERS, data += POWERS * BLOCK) {
        x = absorb(x, powers[0], data, POWERS);
    }
    if (blocks > 0) {
        x = absorb(x, powers[POWERS - blocks], data, blocks);
    }
    store(sum, x);
}
#endif

void polyval(uint8_t sum[BLOCK], enum level level, const uint8_t powers[POWERS][BLOCK],
             const uint8_t *data, size_t blocks) {
#ifdef CLMUL
    if (level != LEVEL_PORTABLE) {
        carry_less(sum, powers, data, blocks);
        return;
    }
#endif
    portable(sum, powers[POWERS - 1], data, blocks);
}
