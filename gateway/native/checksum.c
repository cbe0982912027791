/* The Internet checksum (RFC 1071), for the datapath's checks and for the ciphers' sum jobs. */
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

/* checksum(bytes, offset, length, initial): number */
static napi_value checksum(napi_env env, napi_callback_info info) {
    napi_value args[4];
    size_t count = 4;
    struct bytes bytes;
    int32_t offset, length, initial;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_bytes(env, args[0], "bytes", &bytes) ||
        !arg_int(env, args[1], "offset", 0, INT32_MAX, &offset) ||
        !arg_int(env, args[2], "length", 0, INT32_MAX, &length) ||
        !arg_int(env, args[3], "initial", 0, INT32_MAX, &initial)) {
        return NULL;
    }
    if (!range_fits(bytes.length, offset, length)) {
        return throw_range(env, "offset and length: a range inside bytes expected");
    }
    return js_int(env, (int32_t)sum16(bytes.data + offset, (size_t)length, (uint32_t)initial));
}

bool register_checksum(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"checksum", checksum}};
    return register_functions(env, exports, functions, 1);
}
