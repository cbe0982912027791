/* Waiting: a worker blocks here until a frame, an event or a moment comes. */
#include "addon.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WAIT = 64, LONGEST_WAIT_MS = 3600000 };

/* ---- a worker's turn begins: wait, what time it is, and the first frames, in one call ---- */

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The time that is left until `until`, in ms of now_ms, at least none. */
static struct timespec time_left(double until) {
    double left = until - now_ms();
    struct timespec timeout = {0, 0};
    if (left > 0) {
        left = left < LONGEST_WAIT_MS ? left : LONGEST_WAIT_MS;
        timeout.tv_sec = (time_t)(left / 1e3);
        timeout.tv_nsec = (long)((left - (double)timeout.tv_sec * 1e3) * 1e6);
    }
    return timeout;
}

/* One of JavaScript's clocks: doubles that both sides read and write. */
static bool arg_clock(napi_env env, napi_value value, double **clock) {
    bool typed = false;
    size_t length = 0;
    napi_typedarray_type type = napi_int8_array;
    if (napi_is_typedarray(env, value, &typed) == napi_ok && typed &&
        napi_get_typedarray_info(env, value, &type, &length, (void **)clock, NULL, NULL) ==
            napi_ok &&
        type == napi_float64_array && length == 2) {
        return true;
    }
    throw_range(env, "clock: Float64Array of now and until expected");
    return false;
}

/* next(fds, count, ready, clock, slab, batch, most): number of frames, or -errno of receiving. A
 * wait that fails throws: who went on would spin. */
static napi_value next(napi_env env, napi_callback_info info) {
    napi_value args[7];
    size_t arguments = 7, fds_size, ready_size, columns, mosts;
    struct bytes slab;
    double *clock;
    int32_t *fds, *ready, *batch, *most, count;
    if (napi_get_cb_info(env, info, &arguments, args, NULL, NULL) != napi_ok ||
        !arg_int32s(env, args[0], "fds", &fds, &fds_size) ||
        !arg_int(env, args[1], "count", 1, MAX_WAIT, &count) ||
        !arg_int32s(env, args[2], "ready", &ready, &ready_size) ||
        !arg_clock(env, args[3], &clock) || !arg_bytes(env, args[4], "slab", &slab) ||
        !arg_int32s(env, args[5], "batch", &batch, &columns) ||
        !arg_int32s(env, args[6], "most", &most, &mosts)) {
        return NULL;
    }
    if ((size_t)count > fds_size || (size_t)count > ready_size || (size_t)count > mosts + 1) {
        return throw_range(env, "count: at most the length of fds, of ready, and one more than of "
                                "most expected");
    }
    struct pollfd polled[MAX_WAIT];
    int32_t limits[MAX_WAIT];
    for (int32_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
        ready[i] = 0;
        limits[i] = i > 0 ? most[i - 1] : 0;
        if (!receive_fits(env, &slab, columns, 0, limits[i])) {
            return NULL;
        }
    }
    const struct timespec timeout = time_left(clock[1]);
    int got = ppoll(polled, (nfds_t)count, &timeout, NULL);
    if (got < 0 && errno != EINTR) {
        return throw_errno(env, "waiting for frames (ppoll)", errno);
    }
    clock[0] = now_ms();
    if (got <= 0) {
        return js_int(env, 0);
    }
    int frames = 0;
    bool first = true;
    for (int32_t i = 0; i < count; i++) {
        ready[i] = polled[i].revents;
        if (i > 0 && ready[i] != 0 && first) {
            frames = receive_frames(fds[i], &slab, batch, 0, limits[i]);
            first = false;
        }
    }
    return js_int(env, frames);
}

/* createEvent(): number */
static napi_value create_event(napi_env env, napi_callback_info info) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd >= 0 ? js_int(env, fd) : throw_errno(env, "eventfd", errno);
}

static bool event_argument(napi_env env, napi_callback_info info, int32_t *fd) {
    napi_value args[1];
    size_t count = 1;
    return napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok &&
           arg_int(env, args[0], "fd", 0, INT32_MAX, fd);
}

/* signalEvent(fd) */
static napi_value signal_event(napi_env env, napi_callback_info info) {
    int32_t fd;
    const uint64_t one = 1;
    /* EAGAIN: 2^64 - 2 signals wait already, the waiter wakes all the same. */
    if (event_argument(env, info, &fd) && write(fd, &one, sizeof one) < 0 && errno != EAGAIN) {
        return throw_errno(env, "signalEvent", errno);
    }
    return NULL;
}

/* clearEvent(fd) */
static napi_value clear_event(napi_env env, napi_callback_info info) {
    int32_t fd;
    uint64_t signals;
    if (event_argument(env, info, &fd) && read(fd, &signals, sizeof signals) < 0 &&
        errno != EAGAIN) {
        return throw_errno(env, "clearEvent", errno);
    }
    return NULL;
}

bool register_wait(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"next", next},
        {"createEvent", create_event},
        {"signalEvent", signal_event},
        {"clearEvent", clear_event},
    };
    return register_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
