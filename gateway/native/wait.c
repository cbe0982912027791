/* Waiting: a worker blocks here until a frame, an event or a moment comes. */
#include "addon.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_WAIT = 64 };

/* wait(fds, count, ready, timeoutMs): number of ready descriptors, or -errno */
static napi_value wait_ready(napi_env env, napi_callback_info info) {
    napi_value args[4];
    size_t arguments = 4, fds_size, ready_size;
    int32_t *fds, *ready, count, timeout;
    if (napi_get_cb_info(env, info, &arguments, args, NULL, NULL) != napi_ok ||
        !arg_int32s(env, args[0], "fds", &fds, &fds_size) ||
        !arg_int(env, args[1], "count", 0, MAX_WAIT, &count) ||
        !arg_int32s(env, args[2], "ready", &ready, &ready_size) ||
        !arg_int(env, args[3], "timeoutMs", -1, INT32_MAX, &timeout)) {
        return NULL;
    }
    if ((size_t)count > fds_size || (size_t)count > ready_size) {
        return throw_range(env, "count: at most the length of fds and of ready expected");
    }
    struct pollfd polled[MAX_WAIT];
    for (int32_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    int got = poll(polled, (nfds_t)count, timeout);
    int error = got < 0 ? errno : 0;
    for (int32_t i = 0; i < count; i++) {
        ready[i] = got > 0 ? polled[i].revents : 0;
    }
    return js_int(env, error == 0 ? got : error == EINTR ? 0 : -error);
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
        {"wait", wait_ready},
        {"createEvent", create_event},
        {"signalEvent", signal_event},
        {"clearEvent", clear_event},
    };
    return register_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
