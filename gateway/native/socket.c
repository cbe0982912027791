/* Packet sockets: opened in worker order behind a filter that drops everything, joined, then opened
 * for traffic together. Whoever opens them owns the descriptors and passes them on by number. */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_MEMBERS = 64 };

/* The kernel's header of Linux 6.1 has it, older libc headers do not. */
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

struct wanted {
    char name[IFNAMSIZ];
    int index;
    int32_t mark, receive_bytes, send_bytes;
    struct sock_fprog program;
};

static bool option(int fd, int level, int name, const void *value, socklen_t size) {
    return setsockopt(fd, level, name, value, size) == 0;
}

/* No frame may reach a member before all members of all ports exist. */
static bool close_for_traffic(int fd) {
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop};
    return option(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static bool prepare(int fd, const struct wanted *want, const char **step) {
    static const int on = 1;
    const struct packet_mreq promiscuous = {.mr_ifindex = want->index,
                                            .mr_type = PACKET_MR_PROMISC};
    const struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = want->index};
    *step = "SO_ATTACH_FILTER";
    if (!close_for_traffic(fd)) {
        return false;
    }
    *step = "packet socket options";
    if (!option(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) ||
        !option(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) ||
        !option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)) {
        return false;
    }
    *step = "SO_MARK, SO_RCVBUFFORCE or SO_SNDBUFFORCE";
    if (!option(fd, SOL_SOCKET, SO_MARK, &want->mark, sizeof want->mark) ||
        !option(fd, SOL_SOCKET, SO_RCVBUFFORCE, &want->receive_bytes, sizeof(int)) ||
        !option(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want->send_bytes, sizeof(int))) {
        return false;
    }
    *step = "promiscuous membership";
    if (!option(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous)) {
        return false;
    }
    *step = "bind";
    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* The first member makes the group and sets its program; the kernel chooses the group's number. */
static bool join(const int *fds, int member, const struct wanted *want, const char **step) {
    const int kind = PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    int argument = (kind | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
    *step = "PACKET_FANOUT";
    if (member > 0) {
        socklen_t size = sizeof argument;
        if (getsockopt(fds[0], SOL_PACKET, PACKET_FANOUT, &argument, &size) != 0) {
            return false;
        }
        argument = (argument & 0xffff) | kind << 16;
    }
    if (!option(fds[member], SOL_PACKET, PACKET_FANOUT, &argument, sizeof argument)) {
        return false;
    }
    *step = "PACKET_FANOUT_DATA";
    return member > 0 || option(fds[member], SOL_PACKET, PACKET_FANOUT_DATA, &want->program,
                                sizeof want->program);
}

static napi_value opened(napi_env env, const int *fds, int count) {
    napi_value out;
    if (napi_create_array_with_length(env, (size_t)count, &out) != napi_ok) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        if (napi_set_element(env, out, (uint32_t)i, js_int(env, fds[i])) != napi_ok) {
            return NULL;
        }
    }
    return out;
}

/* openSockets(name, members, mark, receiveBytes, sendBytes, program): number[] */
static napi_value open_sockets(napi_env env, napi_callback_info info) {
    napi_value args[6];
    size_t count = 6;
    struct wanted want;
    struct bytes program;
    int32_t members;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_text(env, args[0], "name", want.name, sizeof want.name) ||
        !arg_int(env, args[1], "members", 1, MAX_MEMBERS, &members) ||
        !arg_int(env, args[2], "mark", 0, INT32_MAX, &want.mark) ||
        !arg_int(env, args[3], "receiveBytes", 1, INT32_MAX / 2, &want.receive_bytes) ||
        !arg_int(env, args[4], "sendBytes", 1, INT32_MAX / 2, &want.send_bytes) ||
        !arg_bytes(env, args[5], "program", &program)) {
        return NULL;
    }
    struct sock_filter filter[256];
    if (program.length == 0 || program.length > sizeof filter ||
        program.length % sizeof *filter != 0) {
        return throw_range(env, "program: 1 to 256 instructions of 8 bytes expected");
    }
    memcpy(filter, program.data, program.length);
    want.program.len = (unsigned short)(program.length / sizeof *filter);
    want.program.filter = filter;
    want.index = (int)if_nametoindex(want.name);
    if (want.index == 0) {
        return throw_errno(env, want.name, errno);
    }
    int fds[MAX_MEMBERS], open = 0, error = 0;
    const char *step = "socket";
    while (open < members && error == 0) {
        /* Protocol 0 receives nothing until it is bound. */
        fds[open] = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fds[open] < 0) {
            error = errno;
            break;
        }
        open++;
        if (!prepare(fds[open - 1], &want, &step) ||
            (members > 1 && !join(fds, open - 1, &want, &step))) {
            error = errno;
        }
    }
    if (error != 0) {
        while (open > 0) {
            close(fds[--open]);
        }
        return throw_errno(env, step, error);
    }
    return opened(env, fds, members);
}

/* openForTraffic(fds, count) */
static napi_value open_for_traffic(napi_env env, napi_callback_info info) {
    napi_value args[2];
    size_t count = 2, size;
    int32_t *fds, wanted;
    static const int none = 0;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int32s(env, args[0], "fds", &fds, &size) ||
        !arg_int(env, args[1], "count", 0, (int32_t)size, &wanted)) {
        return NULL;
    }
    for (int32_t i = 0; i < wanted; i++) {
        /* ENOENT: no filter, opened before. */
        if (!option(fds[i], SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) && errno != ENOENT) {
            return throw_errno(env, "SO_DETACH_FILTER", errno);
        }
    }
    return NULL;
}

/* adoptSocket(fd, mark, sendBytes): a packet socket that a library opened */
static napi_value adopt_socket(napi_env env, napi_callback_info info) {
    napi_value args[3];
    size_t count = 3;
    int32_t fd, mark, send_bytes;
    static const int on = 1;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "fd", 0, INT32_MAX, &fd) ||
        !arg_int(env, args[1], "mark", 0, INT32_MAX, &mark) ||
        !arg_int(env, args[2], "sendBytes", 1, INT32_MAX / 2, &send_bytes)) {
        return NULL;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET) {
        return throw_range(env, "fd: open packet socket expected");
    }
    if (!option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) ||
        !option(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) ||
        !option(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof send_bytes)) {
        return throw_errno(env, "PACKET_IGNORE_OUTGOING, SO_MARK or SO_SNDBUFFORCE", errno);
    }
    return NULL;
}

/* takeOverruns(fd, accepted?: Int32Array): number */
static napi_value take_overruns(napi_env env, napi_callback_info info) {
    napi_value args[2];
    size_t count = 2, columns = 0;
    int32_t fd, *accepted = NULL;
    struct tpacket_stats stats;
    socklen_t size = sizeof stats;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "fd", 0, INT32_MAX, &fd) ||
        (count > 1 && !arg_int32s(env, args[1], "accepted", &accepted, &columns))) {
        return NULL;
    }
    if (count > 1 && columns == 0) {
        return throw_range(env, "accepted: one number expected");
    }
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) {
        return throw_errno(env, "PACKET_STATISTICS", errno);
    }
    if (accepted != NULL) {
        /* tp_packets counts what was dropped, too. It wraps as the sum does. */
        *accepted = (int32_t)((uint32_t)*accepted + stats.tp_packets - stats.tp_drops);
    }
    return js_int(env, (int32_t)(stats.tp_drops & INT32_MAX));
}

/* A number that was closed before may by now be somebody else's file. */
static bool ours(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    char path[32], target[32] = "";
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0) {
        return domain == AF_PACKET;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof target - 1) > 0 &&
           strcmp(target, "anon_inode:[eventfd]") == 0;
}

/* closeSocket(fd) */
static napi_value close_socket(napi_env env, napi_callback_info info) {
    napi_value args[1];
    size_t count = 1;
    int32_t fd;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "fd", 0, INT32_MAX, &fd)) {
        return NULL;
    }
    if (!ours(fd)) {
        return throw_range(env, "fd: open packet socket or event expected");
    }
    close(fd);
    return NULL;
}

bool register_sockets(napi_env env, napi_value exports) {
    static const native_function functions[] = {
        {"openSockets", open_sockets}, {"openForTraffic", open_for_traffic},
        {"adoptSocket", adopt_socket}, {"takeOverruns", take_overruns},
        {"closeSocket", close_socket},
    };
    return register_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
