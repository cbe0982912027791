/* The Internet checksum (RFC 1071), for the ciphers' sum jobs. */
#include "addon.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sum16 swaps its result");

static inline uint64_t add_carry(uint64_t sum, uint64_t word) {
    sum += word;
    return sum + (sum < word);
}

static inline uint32_t fold(uint64_t sum) {
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint32_t)sum;
}

uint32_t sum16(const uint8_t *data, size_t length, uint32_t initial) {
    /* Byte order does not matter to a one's complement sum until its end (RFC 1071, 2 (B)). */
    uint64_t even = 0, odd = 0, word[4];
    for (; length >= sizeof word; data += sizeof word, length -= sizeof word) {
        memcpy(word, data, sizeof word);
        even = add_carry(even, word[0]);
        odd = add_carry(odd, word[1]);
        even = add_carry(even, word[2]);
        odd = add_carry(odd, word[3]);
    }
    for (; length >= 8; data += 8, length -= 8) {
        memcpy(word, data, 8);
        even = add_carry(even, word[0]);
    }
    if (length > 0) {
        word[0] = 0;
        memcpy(word, data, length);
        odd = add_carry(odd, word[0]);
    }
    return fold((uint64_t)__builtin_bswap16((uint16_t)fold(add_carry(even, odd))) + initial);
}
