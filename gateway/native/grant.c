/* Handing a copy of a key to another thread: the giver posts a ticket, the taker claims it, once.
 *
 * One table for the process, in locked memory of its own, under a mutex. AEAD keys are refused: a
 * sending key lives in one thread with one counter. */
#include "keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum { GRANTS = 4096 };

struct grant {
    uint64_t ticket; /* 0: free */
    uint8_t key[KEY_LENGTH];
    uint32_t uses;
    const struct keys *giver;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Allocated with the first slab of keys and kept until the process ends. */
static struct grant *table;

size_t grants_memory(void) {
    return GRANTS * sizeof *table;
}

bool open_grants(void) {
    pthread_mutex_lock(&lock);
    if (table == NULL) {
        table = locked_memory(grants_memory());
    }
    bool open = table != NULL;
    pthread_mutex_unlock(&lock);
    return open;
}

/* The lock is held. */
static struct grant *find_grant(uint64_t ticket) {
    for (uint32_t i = 0; table != NULL && i < GRANTS; i++) {
        if (table[i].ticket == ticket) {
            return &table[i];
        }
    }
    return NULL;
}

static void wipe_grant(struct grant *grant) {
    OPENSSL_cleanse(grant, sizeof *grant);
}

/* 0 when the kernel gives no randomness. A ticket is never 0 and never one that is outstanding. */
static uint64_t fresh_ticket(void) {
    uint64_t ticket;
    do {
        if (getrandom(&ticket, sizeof ticket, 0) != sizeof ticket) {
            return 0;
        }
    } while (ticket == 0 || find_grant(ticket) != NULL);
    return ticket;
}

/* Stores a copy; 0 after throwing. The lock is held. */
static uint64_t store_grant(napi_env env, const struct keys *keys, const struct place *place) {
    struct grant *grant = find_grant(0);
    if (grant == NULL) {
        napi_throw_error(env, NULL, "grant: 4096 tickets are outstanding; claim or withdraw some");
        return 0;
    }
    uint64_t ticket = fresh_ticket();
    if (ticket == 0) {
        throw_errno(env, "getrandom", errno);
        return 0;
    }
    *grant = (struct grant){.ticket = ticket, .uses = place->uses, .giver = keys};
    memcpy(grant->key, place->key, KEY_LENGTH);
    return ticket;
}

void withdraw_grants_of(const struct keys *keys) {
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; table != NULL && i < GRANTS; i++) {
        if (table[i].giver == keys) {
            wipe_grant(&table[i]);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* A ticket argument, 1 … 2^64 - 1. */
static bool arg_ticket(napi_env env, napi_value value, uint64_t *out) {
    bool whole = false;
    if (napi_get_value_bigint_uint64(env, value, out, &whole) != napi_ok) {
        napi_throw_type_error(env, NULL, "ticket: bigint expected");
        return false;
    }
    if (!whole || *out == 0) {
        throw_range(env, "ticket: 64 bits expected, not zero");
        return false;
    }
    return true;
}

/* grant(key): bigint */
static napi_value grant_key(napi_env env, napi_callback_info info) {
    napi_value args[1], out;
    size_t count = 1;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        return NULL;
    }
    struct place *place = arg_key(env, keys, args[0], "key", FOR_HASHING | FOR_EXCHANGE);
    if (place == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    uint64_t ticket = store_grant(env, keys, place);
    pthread_mutex_unlock(&lock);
    return ticket != 0 && napi_create_bigint_uint64(env, ticket, &out) == napi_ok ? out : NULL;
}

/* claim(ticket): number, or NO_KEY and the ticket stays */
static napi_value claim(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    uint64_t ticket;
    struct keys *keys = keys_of(env);
    if (keys == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_ticket(env, args[0], &ticket)) {
        return NULL;
    }
    struct place *place = take_key(keys, FOR_HASHING);
    if (place == NULL) {
        return js_int(env, NO_KEY);
    }
    pthread_mutex_lock(&lock);
    struct grant *grant = find_grant(ticket);
    if (grant != NULL) {
        memcpy(place->key, grant->key, KEY_LENGTH);
        place->uses = grant->uses;
        wipe_grant(grant);
    }
    pthread_mutex_unlock(&lock);
    if (grant == NULL) {
        drop_key(keys, place);
        return throw_range(env, "ticket: unknown, claimed or withdrawn");
    }
    return js_key(env, keys, place);
}

/* withdraw(ticket) */
static napi_value withdraw(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    uint64_t ticket;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_ticket(env, args[0], &ticket)) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    struct grant *grant = find_grant(ticket);
    if (grant != NULL) {
        wipe_grant(grant);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

bool register_grants(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"grant", grant_key}, {"claim", claim}, {"withdraw", withdraw}};
    return register_key_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
