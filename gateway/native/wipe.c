/* What is left behind where keys were handled, beside the places they are kept in: round keys and
 * powers of h in vector registers, which V8 writes to its heap where it saves registers, and what
 * compilers, ours and OpenSSL's, put on the stack. */
#include "keys.h"

#include <string.h>

/* More than any function of ours uses together with OpenSSL's below it. */
enum { STACK_USED = 8192 };

__attribute__((noinline)) static void wipe_stack(void) {
    uint8_t used[STACK_USED];
    explicit_bzero(used, sizeof used);
}

/* Written without loops, as no register has a number at run time. */
#define EACH_OF_8(f, a, b, c, d, e, g, h, i) f(a) f(b) f(c) f(d) f(e) f(g) f(h) f(i)
#if defined(__x86_64__)
/* Every vector register is the called function's to use, and none is in use here. */
#define XMM_0_TO_15                                                                                \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define ZERO_128(n) "pxor %%xmm" #n ", %%xmm" #n "\n\t"
#define ZERO_512(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

__attribute__((noinline, target("avx512f"))) static void wipe_512(void) {
    __asm__ volatile("vzeroall\n\t" EACH_OF_8(ZERO_512, 16, 17, 18, 19, 20, 21, 22, 23)
                         EACH_OF_8(ZERO_512, 24, 25, 26, 27, 28, 29, 30, 31)::
                             : XMM_0_TO_15, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21",
                               "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
                               "xmm29", "xmm30", "xmm31");
}

__attribute__((noinline, target("avx"))) static void wipe_256(void) {
    __asm__ volatile("vzeroall" ::: XMM_0_TO_15);
}

__attribute__((noinline)) static void wipe_128(void) {
    __asm__ volatile(EACH_OF_8(ZERO_128, 0, 1, 2, 3, 4, 5, 6, 7)
                         EACH_OF_8(ZERO_128, 8, 9, 10, 11, 12, 13, 14, 15)::
                             : XMM_0_TO_15);
}

static void wipe_registers(void) {
    if (__builtin_cpu_supports("avx512f")) {
        wipe_512();
    } else if (__builtin_cpu_supports("avx")) {
        wipe_256();
    } else {
        wipe_128();
    }
}
#elif defined(__aarch64__)
#define ZERO(n) "movi v" #n ".2d, #0\n\t"
/* The lower halves of these are the caller's, and were given back to it. */
#define ZERO_UPPER(n) "mov v" #n ".d[1], xzr\n\t"

__attribute__((noinline)) static void wipe_registers(void) {
    __asm__ volatile(EACH_OF_8(ZERO, 0, 1, 2, 3, 4, 5, 6, 7)
                         EACH_OF_8(ZERO_UPPER, 8, 9, 10, 11, 12, 13, 14, 15)
                             EACH_OF_8(ZERO, 16, 17, 18, 19, 20, 21, 22, 23)
                                 EACH_OF_8(ZERO, 24, 25, 26, 27, 28, 29, 30, 31)::
                                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17",
                                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
                                       "v26", "v27", "v28", "v29", "v30", "v31");
}
#else
#error "which registers hold keys?"
#endif

static napi_value call_and_wipe(napi_env env, napi_callback_info info) {
    void *function;
    if (napi_get_cb_info(env, info, NULL, NULL, NULL, &function) != napi_ok) {
        return NULL;
    }
    napi_value result = ((const native_function *)function)->callback(env, info);
    wipe_stack();
    wipe_registers();
    return result;
}

bool register_key_functions(napi_env env, napi_value exports, const native_function *list,
                            size_t count) {
    for (size_t i = 0; i < count; i++) {
        napi_value function;
        if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, call_and_wipe,
                                 (void *)&list[i], &function) != napi_ok ||
            napi_set_named_property(env, exports, list[i].name, function) != napi_ok) {
            return false;
        }
    }
    return true;
}
