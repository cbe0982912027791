/* Sending a batch: a vnet header is written anew for every frame (a received one does not fit what
 * leaves), a tag that travels beside the frame is put in on the way, no byte of the slab moves. */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/socket.h>

/* In the headers, and in the kernel, from Linux 6.2 on; an older kernel answers EINVAL. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { MAX_BATCH = 64, MAC_LENGTH = 12, TAG_LENGTH = 4, TCP_HEADER = 20, UDP_HEADER = 8 };

/* What goes before the rest of the frame: vnet header, and with a tag the MAC addresses and the
 * tag.
 */
struct departure {
    struct {
        struct virtio_net_hdr header;
        uint8_t macs[MAC_LENGTH];
        uint16_t tag[2];
    } front;
    struct iovec parts[2];
};
_Static_assert(sizeof((struct departure *)0)->front == 26, "sent as one run of bytes");

/* The layer-4 header of a superpacket: its length, 0 where the frame contradicts its record. */
static size_t header_length(const uint8_t *frame, size_t length, size_t start, int gso) {
    if (gso == VIRTIO_NET_HDR_GSO_UDP_L4) {
        return start + UDP_HEADER <= length ? UDP_HEADER : 0;
    }
    if ((gso != VIRTIO_NET_HDR_GSO_TCPV4 && gso != VIRTIO_NET_HDR_GSO_TCPV6) ||
        start + TCP_HEADER > length) {
        return 0;
    }
    size_t tcp = (size_t)(frame[start + 12] >> 4) * 4;
    return tcp >= TCP_HEADER && start + tcp <= length ? tcp : 0;
}

/* Fills the vnet header; returns 0 or the errno of a record that cannot be sent. */
static int describe(struct virtio_net_hdr *header, const int32_t *record, const uint8_t *frame,
                    size_t length, size_t tag) {
    memset(header, 0, sizeof *header);
    const bool partial = record[F_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM;
    const int gso = record[F_GSO_TYPE] & ~VIRTIO_NET_HDR_GSO_ECN;
    const int64_t start = record[F_CSUM_START], field = record[F_CSUM_OFFSET];
    if (partial) {
        if (start < ETH_HLEN || start > UINT16_MAX - TAG_LENGTH || field < 0 ||
            field > UINT16_MAX || start + field + 2 > (int64_t)length) {
            return EINVAL;
        }
        header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header->csum_start = (uint16_t)(start + (int64_t)tag);
        header->csum_offset = (uint16_t)field;
    }
    if (gso == VIRTIO_NET_HDR_GSO_NONE) {
        return 0;
    }
    if (record[F_GSO_SIZE] <= 0 || record[F_GSO_SIZE] > UINT16_MAX) {
        return EINVAL;
    }
    size_t headers = 0;
    if (partial) {
        size_t l4 = header_length(frame, length, (size_t)start, gso);
        if (l4 == 0) {
            return EINVAL;
        }
        headers = (size_t)start + l4;
        /* The kernel drops a superpacket of one segment without a word: it is no superpacket. */
        if (length - headers <= (size_t)record[F_GSO_SIZE]) {
            return 0;
        }
    }
    header->hdr_len = (uint16_t)(headers == 0 ? 0 : headers + tag);
    header->gso_type = (uint8_t)record[F_GSO_TYPE];
    header->gso_size = (uint16_t)record[F_GSO_SIZE];
    return 0;
}

static int load(struct departure *departure, struct mmsghdr *message, const int32_t *record,
                const struct bytes *slab) {
    if (!range_fits(slab->length, record[F_OFFSET], record[F_LENGTH])) {
        return EFAULT;
    }
    if (record[F_LENGTH] < ETH_HLEN || record[F_LENGTH] > UINT16_MAX + 256) {
        return record[F_LENGTH] < ETH_HLEN ? EINVAL : EMSGSIZE;
    }
    uint8_t *frame = slab->data + record[F_OFFSET];
    size_t length = (size_t)record[F_LENGTH], skip = 0;
    const bool tagged = record[F_VLAN_TCI] >= 0;
    int error = describe(&departure->front.header, record, frame, length, tagged ? TAG_LENGTH : 0);
    if (error != 0) {
        return error;
    }
    if (tagged) {
        skip = MAC_LENGTH;
        memcpy(departure->front.macs, frame, MAC_LENGTH);
        departure->front.tag[0] = htons((uint16_t)record[F_VLAN_TPID]);
        departure->front.tag[1] = htons((uint16_t)record[F_VLAN_TCI]);
    }
    departure->parts[0] = (struct iovec){
        &departure->front, tagged ? sizeof departure->front : sizeof departure->front.header};
    departure->parts[1] = (struct iovec){frame + skip, length - skip};
    memset(message, 0, sizeof *message);
    message->msg_hdr.msg_iov = departure->parts;
    message->msg_hdr.msg_iovlen = 2;
    return 0;
}

/* Errors that every further frame would get too. */
static bool hopeless(int error) {
    return error == EAGAIN || error == ENETDOWN || error == ENXIO || error == ENODEV ||
           error == EBADF || error == ENOTSOCK;
}

/* Sends what is loaded. sendmmsg does not say why it stopped early: the frame it stopped at is
 * handed over once more, alone, for its errno; a frame that fails then is skipped. */
static int flush(int fd, struct mmsghdr *messages, int32_t *const *records, int count) {
    int done = 0;
    while (done < count) {
        int sent = sendmmsg(fd, messages + done, (unsigned)(count - done), MSG_DONTWAIT);
        if (sent > 0) {
            done += sent;
            continue;
        }
        int error = sent < 0 ? errno : EIO;
        if (error == EINTR) {
            error = EAGAIN;
        }
        records[done++][F_STATUS] = error;
        if (hopeless(error)) {
            for (; done < count; done++) {
                records[done][F_STATUS] = error;
            }
            return error;
        }
    }
    return 0;
}

/* transmit(fd, slab, batch, first, count, port) */
static napi_value transmit(napi_env env, napi_callback_info info) {
    napi_value args[6];
    size_t arguments = 6, columns;
    struct bytes slab;
    int32_t *batch, fd, first, count, port;
    if (napi_get_cb_info(env, info, &arguments, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "fd", 0, INT32_MAX, &fd) ||
        !arg_bytes(env, args[1], "slab", &slab) ||
        !arg_int32s(env, args[2], "batch", &batch, &columns) ||
        !arg_int(env, args[3], "first", 0, INT32_MAX, &first) ||
        !arg_int(env, args[4], "count", 0, INT32_MAX, &count) ||
        !arg_int(env, args[5], "port", -1, INT32_MAX, &port)) {
        return NULL;
    }
    if (!range_fits(columns, (int64_t)first * F_STRIDE, (int64_t)count * F_STRIDE)) {
        return throw_range(env, "first and count: records inside batch expected");
    }
    struct departure departures[MAX_BATCH];
    struct mmsghdr messages[MAX_BATCH];
    int32_t *records[MAX_BATCH];
    int loaded = 0, stopped = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t *record = batch + ((size_t)first + (size_t)i) * F_STRIDE;
        if ((port >= 0 && record[F_PORT] != port) || record[F_STATUS] != 0) {
            continue;
        }
        record[F_STATUS] =
            stopped ? stopped : load(&departures[loaded], &messages[loaded], record, &slab);
        if (record[F_STATUS] != 0) {
            continue;
        }
        records[loaded++] = record;
        if (loaded == MAX_BATCH) {
            stopped = flush(fd, messages, records, loaded);
            loaded = 0;
        }
    }
    flush(fd, messages, records, loaded);
    return NULL;
}

bool register_transmit(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"transmit", transmit}};
    return register_functions(env, exports, functions, 1);
}
