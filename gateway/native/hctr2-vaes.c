/* HCTR2 in 512-bit registers: four blocks at a time, sixteen in flight (x86-64 with VAES,
 * VPCLMULQDQ, AVX-512BW and VL). Why this stands beside OpenSSL: docs/decisions/0016-vector-aes.md.
 *
 * The message is read in groups of up to sixteen blocks. Of a group that is not full, registers
 * without a block are left out, and bytes behind its end are masked: they are neither read nor
 * written. */
#if defined(__x86_64__)
#include "hctr2.h"

#include <immintrin.h>
#include <string.h>

#define TARGET target("aes,pclmul,bmi2,avx512f,avx512bw,avx512vl,vaes,vpclmulqdq")
#define VECTOR __attribute__((always_inline, TARGET)) static inline
#define ENTRY __attribute__((TARGET))
/* Before a loop over the registers of a group, whose number is a constant wherever it is inlined:
 * kept as a loop it moves every register through memory, which costs twice the time of all. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

enum { REGISTER = 64, GROUP = 4 * REGISTER };

struct group {
    __m512i x[4];
};
struct schedule {
    __m512i k[ROUND_KEYS];
};

VECTOR __m128i load128(const uint8_t *at) {
    return _mm_loadu_si128((const __m128i *)at);
}

/* FIPS 197, 5.2, for 256 bits: two words of the schedule's eight come from each instruction. */
VECTOR __m128i fold(__m128i x) {
    x = _mm_xor_si128(x, _mm_slli_si128(x, 4));
    return _mm_xor_si128(x, _mm_slli_si128(x, 8));
}

#define EVEN_ROUND_KEY(i, constant)                                                                \
    even = _mm_xor_si128(fold(even),                                                               \
                         _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, constant), 0xff));       \
    _mm_storeu_si128((__m128i *)key->encrypt[i], even)
#define ODD_ROUND_KEY(i)                                                                           \
    odd = _mm_xor_si128(fold(odd), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa));   \
    _mm_storeu_si128((__m128i *)key->encrypt[i], odd)

ENTRY void vaes_schedule(struct hctr2_key *key, const uint8_t bytes[32]) {
    __m128i even = load128(bytes), odd = load128(bytes + BLOCK);
    _mm_storeu_si128((__m128i *)key->encrypt[0], even);
    _mm_storeu_si128((__m128i *)key->encrypt[1], odd);
    EVEN_ROUND_KEY(2, 0x01);
    ODD_ROUND_KEY(3);
    EVEN_ROUND_KEY(4, 0x02);
    ODD_ROUND_KEY(5);
    EVEN_ROUND_KEY(6, 0x04);
    ODD_ROUND_KEY(7);
    EVEN_ROUND_KEY(8, 0x08);
    ODD_ROUND_KEY(9);
    EVEN_ROUND_KEY(10, 0x10);
    ODD_ROUND_KEY(11);
    EVEN_ROUND_KEY(12, 0x20);
    ODD_ROUND_KEY(13);
    EVEN_ROUND_KEY(14, 0x40);
    /* The equivalent inverse cipher, FIPS 197, 5.3.5. */
    memcpy(key->decrypt[0], key->encrypt[14], BLOCK);
    memcpy(key->decrypt[14], key->encrypt[0], BLOCK);
    for (int i = 1; i < 14; i++) {
        _mm_storeu_si128((__m128i *)key->decrypt[i],
                         _mm_aesimc_si128(load128(key->encrypt[14 - i])));
    }
}

VECTOR __m128i encrypt_block(const struct hctr2_key *key, __m128i x) {
    x = _mm_xor_si128(x, load128(key->encrypt[0]));
    UNROLLED
    for (int i = 1; i < 14; i++) {
        x = _mm_aesenc_si128(x, load128(key->encrypt[i]));
    }
    return _mm_aesenclast_si128(x, load128(key->encrypt[14]));
}

VECTOR __m128i decrypt_block(const struct hctr2_key *key, __m128i x) {
    x = _mm_xor_si128(x, load128(key->decrypt[0]));
    UNROLLED
    for (int i = 1; i < 14; i++) {
        x = _mm_aesdec_si128(x, load128(key->decrypt[i]));
    }
    return _mm_aesdeclast_si128(x, load128(key->decrypt[14]));
}

ENTRY void vaes_encrypt_block(const struct hctr2_key *key, const uint8_t in[BLOCK],
                              uint8_t out[BLOCK]) {
    _mm_storeu_si128((__m128i *)out, encrypt_block(key, load128(in)));
}

VECTOR __m512i xor3(__m512i a, __m512i b, __m512i c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/* `n` registers of `blocks` blocks: products with the powers that so many blocks need, summed,
 * reduced in each lane (RFC 8452, 3; Gueron's two steps), and the lanes added. */
VECTOR __m128i absorb(const struct hctr2_key *key, __m128i sum, const struct group *in, int n,
                      size_t blocks) {
    const uint8_t *powers = key->powers[POWERS - blocks];
    const __m512i modulus = _mm512_set1_epi64((long long)0xc200000000000000);
    __m512i low = _mm512_setzero_si512(), mid = low, high = low;
    UNROLLED
    for (int i = 0; i < n; i++) {
        const __m512i h = _mm512_loadu_si512(powers + i * REGISTER);
        const __m512i x =
            i == 0 ? _mm512_xor_si512(in->x[0], _mm512_zextsi128_si512(sum)) : in->x[i];
        low = _mm512_xor_si512(low, _mm512_clmulepi64_epi128(x, h, 0x00));
        high = _mm512_xor_si512(high, _mm512_clmulepi64_epi128(x, h, 0x11));
        mid = xor3(mid, _mm512_clmulepi64_epi128(x, h, 0x01), _mm512_clmulepi64_epi128(x, h, 0x10));
    }
    low = _mm512_xor_si512(low, _mm512_bslli_epi128(mid, 8));
    high = _mm512_xor_si512(high, _mm512_bsrli_epi128(mid, 8));
    low = _mm512_xor_si512(_mm512_shuffle_epi32(low, _MM_PERM_BADC),
                           _mm512_clmulepi64_epi128(low, modulus, 0x00));
    high = xor3(high, _mm512_shuffle_epi32(low, _MM_PERM_BADC),
                _mm512_clmulepi64_epi128(low, modulus, 0x00));
    const __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(high), _mm512_extracti64x4_epi64(high, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Of the last register of a group of `length` bytes in `n` registers: which bytes there are. */
VECTOR __mmask64 present(int n, size_t length) {
    return _bzhi_u64(UINT64_MAX, (unsigned)(length - (size_t)(n - 1) * REGISTER));
}

/* Of the same: where the 0x01 stands that follows a message which does not fill its last block. */
VECTOR __mmask64 padding(int n, size_t length) {
    return length % BLOCK != 0 ? UINT64_C(1) << (length - (size_t)(n - 1) * REGISTER) : 0;
}

VECTOR __m128i hash_group(const struct hctr2_key *key, __m128i sum, const uint8_t *data, int n,
                          size_t length, bool padded) {
    struct group in;
    UNROLLED
    for (int i = 0; i < n - 1; i++) {
        in.x[i] = _mm512_loadu_si512(data + i * REGISTER);
    }
    in.x[n - 1] = _mm512_maskz_loadu_epi8(present(n, length), data + (n - 1) * REGISTER);
    if (padded) {
        in.x[n - 1] = _mm512_mask_mov_epi8(in.x[n - 1], padding(n, length), _mm512_set1_epi8(1));
    }
    return absorb(key, sum, &in, n, (length + BLOCK - 1) / BLOCK);
}

VECTOR __m128i hash(const struct hctr2_key *key, __m128i sum, const uint8_t *data, size_t length,
                    bool padded) {
    for (; length >= GROUP; length -= GROUP, data += GROUP) {
        sum = hash_group(key, sum, data, 4, GROUP, false);
    }
    switch ((length + REGISTER - 1) / REGISTER) {
    case 1:
        return hash_group(key, sum, data, 1, length, padded);
    case 2:
        return hash_group(key, sum, data, 2, length, padded);
    case 3:
        return hash_group(key, sum, data, 3, length, padded);
    case 4:
        return hash_group(key, sum, data, 4, length, padded);
    default:
        return sum;
    }
}

ENTRY void vaes_polyval(uint8_t sum[BLOCK], const struct hctr2_key *key, const uint8_t *data,
                        size_t length) {
    _mm_storeu_si128((__m128i *)sum, hash(key, load128(sum), data, length, false));
}

/* The key stream of `n` registers: E(S ⊕ counter). */
VECTOR void stream(const struct schedule *keys, __m512i s, __m512i *counter, struct group *io,
                   int n) {
    const __m512i four = _mm512_broadcast_i32x4(_mm_setr_epi32(4, 0, 0, 0));
    UNROLLED
    for (int r = 0; r < n; r++) {
        io->x[r] = xor3(s, *counter, keys->k[0]);
        *counter = _mm512_add_epi32(*counter, four);
    }
    UNROLLED
    for (int i = 1; i < 14; i++) {
        UNROLLED
        for (int r = 0; r < n; r++) {
            io->x[r] = _mm512_aesenc_epi128(io->x[r], keys->k[i]);
        }
    }
    UNROLLED
    for (int r = 0; r < n; r++) {
        io->x[r] = _mm512_aesenclast_epi128(io->x[r], keys->k[14]);
    }
}

/* A segment between its one block of AES and its end, and what the one behind it is given
 * meanwhile. */
struct passage {
    const struct hctr2_key *key;
    struct schedule keys;
    __m512i s, counter;
    const uint8_t *source;
    uint8_t *destination;
    __m128i sum; /* the second hash */
    const uint8_t *ahead;
    __m128i ahead_sum; /* the first hash of the segment behind */
};

/* Source ⊕ key stream to destination and, as it is written, into the second hash. `hashing` takes
 * the same group of the segment behind into its first hash: multiplications run on another port of
 * the processor than AES, and a hash alone waits for each of its reductions. */
VECTOR void pass_group(struct passage *p, int n, size_t length, bool padded, bool hashing) {
    struct group out;
    stream(&p->keys, p->s, &p->counter, &out, n);
    if (hashing) {
        p->ahead_sum = hash_group(p->key, p->ahead_sum, p->ahead, n, length, padded);
    }
    UNROLLED
    for (int i = 0; i < n - 1; i++) {
        out.x[i] = _mm512_xor_si512(out.x[i], _mm512_loadu_si512(p->source + i * REGISTER));
        _mm512_storeu_si512(p->destination + i * REGISTER, out.x[i]);
    }
    const __mmask64 there = present(n, length);
    const __m512i last = _mm512_maskz_loadu_epi8(there, p->source + (n - 1) * REGISTER);
    out.x[n - 1] = _mm512_maskz_mov_epi8(there, _mm512_xor_si512(out.x[n - 1], last));
    _mm512_mask_storeu_epi8(p->destination + (n - 1) * REGISTER, there, out.x[n - 1]);
    if (padded) {
        out.x[n - 1] = _mm512_mask_mov_epi8(out.x[n - 1], padding(n, length), _mm512_set1_epi8(1));
    }
    p->sum = absorb(p->key, p->sum, &out, n, (length + BLOCK - 1) / BLOCK);
}

VECTOR void pass(struct passage *p, size_t length, bool hashing) {
    p->counter = _mm512_setr_epi32(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0);
    for (; length >= GROUP; length -= GROUP) {
        pass_group(p, 4, GROUP, false, hashing);
        p->source += GROUP;
        p->destination += GROUP;
        p->ahead += GROUP;
    }
    switch ((length + REGISTER - 1) / REGISTER) {
    case 1:
        pass_group(p, 1, length, true, hashing);
        break;
    case 2:
        pass_group(p, 2, length, true, hashing);
        break;
    case 3:
        pass_group(p, 3, length, true, hashing);
        break;
    case 4:
        pass_group(p, 4, length, true, hashing);
        break;
    }
}

/* One segment. `start` is the hash of its prefix, `first` its first hash; with `hashing` both
 * become those of the segment behind it, whose prefix is `prefix`. */
VECTOR void run_segment(struct passage *p, __m128i *start, __m128i *first,
                        const struct hctr2_prefix *prefix, const uint8_t *source,
                        uint8_t *destination, size_t length, bool deciphering, bool hashing) {
    const __m128i in = _mm_xor_si128(load128(source), *first);
    const __m128i out = deciphering ? decrypt_block(p->key, in) : encrypt_block(p->key, in);
    p->s =
        _mm512_broadcast_i32x4(_mm_xor_si128(_mm_xor_si128(in, out), load128(p->key->whitening)));
    p->sum = *start;
    p->source = source + BLOCK;
    p->destination = destination + BLOCK;
    p->ahead = source + (hashing ? length : 0) + BLOCK;
    if (hashing) {
        *start = hash(p->key, _mm_setzero_si128(), prefix->bytes, prefix->blocks * BLOCK, false);
        p->ahead_sum = *start;
    }
    pass(p, length - BLOCK, hashing);
    _mm_storeu_si128((__m128i *)destination, _mm_xor_si128(out, p->sum));
    *first = p->ahead_sum;
}

ENTRY void vaes_run(const struct hctr2_key *key, struct hctr2_prefix *prefix, const uint8_t *source,
                    uint8_t *destination, size_t length, size_t count, bool deciphering) {
    struct passage p = {.key = key};
    UNROLLED
    for (int i = 0; i < ROUND_KEYS; i++) {
        p.keys.k[i] = _mm512_broadcast_i32x4(load128(key->encrypt[i]));
    }
    __m128i start = hash(key, _mm_setzero_si128(), prefix->bytes, prefix->blocks * BLOCK, false);
    __m128i first = hash(key, start, source + BLOCK, length - BLOCK, true);
    for (; count > 1; count--, source += length, destination += length) {
        hctr2_next(prefix, length);
        run_segment(&p, &start, &first, prefix, source, destination, length, deciphering, true);
    }
    run_segment(&p, &start, &first, prefix, source, destination, length, deciphering, false);
}
#endif
