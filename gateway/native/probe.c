/* What the running kernel can do, asked where nothing is: a thread of its own in a network
 * namespace of its own, which ends with it. */
#include "addon.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOPBACK_INDEX = 1, IPV4_HEADER = 20, UDP_HEADER = 8, PAYLOAD = 1 };
enum { L4 = sizeof(struct ether_header) + IPV4_HEADER };

struct question {
    uint8_t gso_type;
    int error; /* 0: the frame left */
};

/* UDP from nobody to nobody. It is smaller than a segment, so it is a frame like any other once its
 * type is known; the type is looked at first (virtio_net_hdr_to_skb). */
static int send_as(int fd, uint8_t gso_type) {
    struct {
        struct virtio_net_hdr vnet;
        uint8_t frame[L4 + UDP_HEADER + PAYLOAD];
    } __attribute__((packed)) message = {.vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                                  .gso_type = gso_type,
                                                  .hdr_len = L4 + UDP_HEADER,
                                                  .gso_size = 1000,
                                                  .csum_start = L4,
                                                  .csum_offset = 6}};
    const struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = LOOPBACK_INDEX};
    uint8_t *ip = message.frame + sizeof(struct ether_header), *udp = message.frame + L4;
    message.frame[12] = ETH_P_IP >> 8;
    ip[0] = 0x45;
    ip[3] = IPV4_HEADER + UDP_HEADER + PAYLOAD;
    ip[9] = IPPROTO_UDP;
    udp[5] = UDP_HEADER + PAYLOAD;
    return sendto(fd, &message, sizeof message, MSG_DONTWAIT, (const struct sockaddr *)&address,
                  sizeof address) == (ssize_t)sizeof message
               ? 0
               : errno;
}

static int ask_socket(int fd, uint8_t gso_type) {
    static const int on = 1;
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0 ||
        ioctl(fd, SIOCSIFFLAGS, &loopback) != 0) {
        return errno;
    }
    return send_as(fd, gso_type);
}

static void *ask(void *argument) {
    struct question *question = argument;
    if (unshare(CLONE_NEWNET) != 0) {
        question->error = errno;
        return NULL;
    }
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        question->error = errno;
        return NULL;
    }
    question->error = ask_socket(fd, question->gso_type);
    close(fd);
    return NULL;
}

/* takesDatagrams(gsoType): boolean */
static napi_value takes_datagrams(napi_env env, napi_callback_info info) {
    napi_value args[1], out;
    size_t count = 1;
    int32_t type;
    pthread_t thread;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "gsoType", 0, UINT8_MAX, &type)) {
        return NULL;
    }
    struct question question = {.gso_type = (uint8_t)type, .error = EAGAIN};
    if (pthread_create(&thread, NULL, ask, &question) == 0) {
        pthread_join(thread, NULL);
    }
    return napi_get_boolean(env, question.error == 0, &out) == napi_ok ? out : NULL;
}

bool register_probe(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"takesDatagrams", takes_datagrams}};
    return register_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
