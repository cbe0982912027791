/* What the process does about itself. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <malloc.h>
#include <math.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* hardenProcess(): no core file and no debugger of another user sees the keys. */
static napi_value harden_process(napi_env env, napi_callback_info info) {
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return throw_errno(env, "RLIMIT_CORE", errno);
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return throw_errno(env, "PR_SET_DUMPABLE", errno);
    }
    return NULL;
}

/* enterNamespace(path): the calling thread, and the processes it starts, use that network. */
static napi_value enter_namespace(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    char path[PATH_MAX];
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_text(env, args[0], "path", path, sizeof path)) {
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return throw_errno(env, path, errno);
    }
    int error = setns(fd, CLONE_NEWNET) == 0 ? 0 : errno;
    close(fd);
    return error == 0 ? NULL : throw_errno(env, "setns", error);
}

static bool may_lock_all(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective & 1u << CAP_IPC_LOCK) != 0;
}

/* lockedMemory(): bytes that the process may lock, Infinity when nothing limits them */
static napi_value locked_limit(napi_env env, napi_callback_info info) {
    struct rlimit limit;
    napi_value out;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        return throw_errno(env, "RLIMIT_MEMLOCK", errno);
    }
    const bool unlimited = limit.rlim_cur == RLIM_INFINITY || may_lock_all();
    const double bytes = unlimited ? (double)INFINITY : (double)limit.rlim_cur;
    return napi_create_double(env, bytes, &out) == napi_ok ? out : NULL;
}

/* trimMemory(): what malloc keeps for later goes back to the system. */
static napi_value trim_memory(napi_env env, napi_callback_info info) {
    malloc_trim(0);
    return NULL;
}

bool register_process(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"hardenProcess", harden_process},
        {"enterNamespace", enter_namespace},
        {"lockedMemory", locked_limit},
        {"trimMemory", trim_memory},
    };
    return register_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
