/* Registration and the checking of arguments: nothing that JavaScript passes is believed. */
#include "addon.h"
#include "hctr2.h"

#include <stdio.h>
#include <string.h>

napi_value throw_range(napi_env env, const char *message) {
    napi_throw_range_error(env, NULL, message);
    return NULL;
}

napi_value throw_errno(napi_env env, const char *what, int error) {
    char code[16], message[256];
    snprintf(code, sizeof code, "%d", error);
    snprintf(message, sizeof message, "%s: %s", what, strerror(error));
    napi_throw_error(env, code, message);
    return NULL;
}

napi_value js_int(napi_env env, int32_t value) {
    napi_value out;
    return napi_create_int32(env, value, &out) == napi_ok ? out : NULL;
}

static bool bad_argument(napi_env env, const char *name, const char *want) {
    char message[160];
    snprintf(message, sizeof message, "%s: %s expected", name, want);
    napi_throw_type_error(env, NULL, message);
    return false;
}

bool arg_bytes(napi_env env, napi_value value, const char *name, struct bytes *out) {
    bool typed = false;
    napi_typedarray_type type;
    if (napi_is_typedarray(env, value, &typed) != napi_ok || !typed ||
        napi_get_typedarray_info(env, value, &type, &out->length, (void **)&out->data, NULL,
                                 NULL) != napi_ok ||
        type != napi_uint8_array) {
        return bad_argument(env, name, "Uint8Array");
    }
    /* An empty array has no address, and C forbids to add even zero to none. */
    static uint8_t nothing;
    if (out->data == NULL) {
        out->data = &nothing;
    }
    return true;
}

bool arg_int32s(napi_env env, napi_value value, const char *name, int32_t **out, size_t *count) {
    bool typed = false;
    napi_typedarray_type type;
    if (napi_is_typedarray(env, value, &typed) != napi_ok || !typed ||
        napi_get_typedarray_info(env, value, &type, count, (void **)out, NULL, NULL) != napi_ok ||
        type != napi_int32_array) {
        return bad_argument(env, name, "Int32Array");
    }
    return true;
}

bool arg_int(napi_env env, napi_value value, const char *name, int32_t min, int32_t max,
             int32_t *out) {
    double number;
    char message[160];
    if (napi_get_value_double(env, value, &number) != napi_ok) {
        return bad_argument(env, name, "number");
    }
    /* Written so that NaN fails too. */
    if (!(number >= min && number <= max) || number != (double)(int32_t)number) {
        snprintf(message, sizeof message, "%s: whole number from %d to %d expected", name, min,
                 max);
        throw_range(env, message);
        return false;
    }
    *out = (int32_t)number;
    return true;
}

bool arg_text(napi_env env, napi_value value, const char *name, char *out, size_t size) {
    size_t length;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
        return bad_argument(env, name, "string");
    }
    if (length >= size) {
        return bad_argument(env, name, "shorter string");
    }
    return napi_get_value_string_utf8(env, value, out, size, &length) == napi_ok;
}

bool register_functions(napi_env env, napi_value exports, const native_function *list,
                        size_t count) {
    for (size_t i = 0; i < count; i++) {
        napi_value function;
        if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].callback, NULL,
                                 &function) != napi_ok ||
            napi_set_named_property(env, exports, list[i].name, function) != napi_ok) {
            return false;
        }
    }
    return true;
}

/* Names and values, for the test that keeps C and TypeScript equal. */
static napi_value layout(napi_env env, napi_callback_info info) {
    static const struct {
        const char *name;
        int32_t value;
    } columns[] = {
        {"F_OFFSET", F_OFFSET},
        {"F_LENGTH", F_LENGTH},
        {"F_FLAGS", F_FLAGS},
        {"F_GSO_TYPE", F_GSO_TYPE},
        {"F_GSO_SIZE", F_GSO_SIZE},
        {"F_CSUM_START", F_CSUM_START},
        {"F_CSUM_OFFSET", F_CSUM_OFFSET},
        {"F_VLAN_TCI", F_VLAN_TCI},
        {"F_VLAN_TPID", F_VLAN_TPID},
        {"F_STATUS", F_STATUS},
        {"F_PORT", F_PORT},
        {"F_NEXT", F_NEXT},
        {"F_STRIDE", F_STRIDE},
        {"VNET_JOINED", VNET_JOINED},
        {"JOINED_MAX", JOINED_MAX},
        {"SLOT_HEADROOM", SLOT_HEADROOM},
        {"SLOT_SIZE", SLOT_SIZE},
        {"SLOT_TAILROOM", SLOT_TAILROOM},
        {"J_OP", J_OP},
        {"J_KEY", J_KEY},
        {"J_SRC", J_SRC},
        {"J_DST", J_DST},
        {"J_LENGTH", J_LENGTH},
        {"J_AAD", J_AAD},
        {"J_AAD_LENGTH", J_AAD_LENGTH},
        {"J_TAG", J_TAG},
        {"J_TAG_LENGTH", J_TAG_LENGTH},
        {"J_NUMBER_HIGH", J_NUMBER_HIGH},
        {"J_NUMBER_LOW", J_NUMBER_LOW},
        {"J_STATUS", J_STATUS},
        {"J_SHORT_KEY", J_SHORT_KEY},
        {"J_SEGMENT", J_SEGMENT},
        {"J_STRIDE", J_STRIDE},
        {"OP_SEAL", OP_SEAL},
        {"OP_OPEN", OP_OPEN},
        {"OP_SUM", OP_SUM},
        {"OP_ENCIPHER", OP_ENCIPHER},
        {"OP_DECIPHER", OP_DECIPHER},
        {"OP_MASK", OP_MASK},
        {"STATUS_OK", STATUS_OK},
        {"STATUS_FORGED", STATUS_FORGED},
        {"AES_256_GCM", AES_256_GCM},
        {"CHACHA20_POLY1305", CHACHA20_POLY1305},
        {"TWEAK_SEQUENCE", TWEAK_SEQUENCE},
        {"TWEAK_MAX", TWEAK_MAX},
        {"WIDE_FROM", WIDE_FROM},
    };
    napi_value out;
    if (napi_create_object(env, &out) != napi_ok) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (napi_set_named_property(env, out, columns[i].name, js_int(env, columns[i].value)) !=
            napi_ok) {
            return NULL;
        }
    }
    return out;
}

NAPI_MODULE_INIT() {
    static const native_function functions[] = {{"layout", layout}};
    if (!register_functions(env, exports, functions, 1) || !register_process(env, exports) ||
        !register_sockets(env, exports) || !register_receive(env, exports) ||
        !register_transmit(env, exports) || !register_wait(env, exports) ||
        !register_keys(env, exports) || !register_exchange(env, exports) ||
        !register_kdf(env, exports) || !register_messages(env, exports) ||
        !register_grants(env, exports) || !register_ciphers(env, exports) ||
        !register_probe(env, exports)) {
        return NULL;
    }
    return exports;
}
