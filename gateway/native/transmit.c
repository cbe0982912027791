/* Sending a batch: a vnet header is written anew for every frame (a received one does not fit what
 * leaves), a tag that travels beside the frame is put in on the way, the records of a chain leave
 * as one frame, no byte of the slab moves. */
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

/* PARTS: a batch of frames of one record each, or some chains of the longest. */
enum { MAX_BATCH = 64, PARTS = 256, FRAME_MAX = UINT16_MAX + 256 };
enum { MAC_LENGTH = 12, TAG_LENGTH = 4, TCP_HEADER = 20, UDP_HEADER = 8 };

/* What goes before the rest of the frame: vnet header, and with a tag the MAC addresses and the
 * tag.
 */
struct front {
    struct virtio_net_hdr header;
    uint8_t macs[MAC_LENGTH];
    uint16_t tag[2];
};
_Static_assert(sizeof(struct front) == 26, "sent as one run of bytes");

/* One call: what JavaScript lent, and what is loaded of it and not sent yet. */
struct departure {
    int fd;
    struct bytes slab;
    int32_t *batch;
    size_t batch_records;
    int frames, parts_used;
    int32_t *records[MAX_BATCH];
    struct front fronts[MAX_BATCH];
    struct mmsghdr messages[MAX_BATCH];
    struct iovec parts[PARTS];
};

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

/* Fills the vnet header; returns 0 or the errno of a record that cannot be sent. `length` bytes lie
 * at `frame`, headers among them; the frame has `total`. */
static int describe(struct virtio_net_hdr *header, const int32_t *record, const uint8_t *frame,
                    size_t length, size_t total, size_t tag) {
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
        if (total - headers <= (size_t)record[F_GSO_SIZE]) {
            return 0;
        }
    }
    header->hdr_len = (uint16_t)(headers == 0 ? 0 : headers + tag);
    header->gso_type = (uint8_t)record[F_GSO_TYPE];
    header->gso_size = (uint16_t)record[F_GSO_SIZE];
    return 0;
}

/* The record that `record` names as the next of its frame; NULL where it names none, and where what
 * it names is none. */
static int32_t *next_of(const struct departure *d, const int32_t *record) {
    if (record[F_NEXT] < 1 || (size_t)record[F_NEXT] > d->batch_records) {
        return NULL;
    }
    int32_t *next = d->batch + ((size_t)record[F_NEXT] - 1) * F_STRIDE;
    return next[F_FLAGS] & VNET_JOINED ? next : NULL;
}

/* Appends the parts of the records behind `record` and adds up their bytes; returns how many, -1
 * where the chain is a lie. A circle is a chain without end, and so too long. */
static int join(const struct departure *d, const int32_t *record, struct iovec *parts,
                size_t *total) {
    int count = 0;
    while (record[F_NEXT] != 0) {
        record = next_of(d, record);
        if (record == NULL || count == JOINED_MAX ||
            !range_fits(d->slab.length, record[F_OFFSET], record[F_LENGTH])) {
            return -1;
        }
        parts[count++] = (struct iovec){d->slab.data + record[F_OFFSET], (size_t)record[F_LENGTH]};
        *total += (size_t)record[F_LENGTH];
    }
    return count;
}

/* Appends a record's frame to what is loaded; returns 0, or its errno and nothing is appended. */
static int load(struct departure *d, int32_t *record) {
    if (!range_fits(d->slab.length, record[F_OFFSET], record[F_LENGTH])) {
        return EFAULT;
    }
    if (record[F_LENGTH] < ETH_HLEN) {
        return EINVAL;
    }
    struct front *front = &d->fronts[d->frames];
    struct iovec *parts = &d->parts[d->parts_used];
    uint8_t *frame = d->slab.data + record[F_OFFSET];
    const bool tagged = record[F_VLAN_TCI] >= 0;
    const size_t length = (size_t)record[F_LENGTH], skip = tagged ? MAC_LENGTH : 0;
    size_t total = length;
    const int joined = join(d, record, parts + 2, &total);
    if (joined < 0) {
        return EINVAL;
    }
    if (total > FRAME_MAX) {
        return EMSGSIZE;
    }
    int error = describe(&front->header, record, frame, length, total, tagged ? TAG_LENGTH : 0);
    if (error != 0) {
        return error;
    }
    if (tagged) {
        memcpy(front->macs, frame, MAC_LENGTH);
        front->tag[0] = htons((uint16_t)record[F_VLAN_TPID]);
        front->tag[1] = htons((uint16_t)record[F_VLAN_TCI]);
    }
    parts[0] = (struct iovec){front, tagged ? sizeof *front : sizeof front->header};
    parts[1] = (struct iovec){frame + skip, length - skip};
    struct mmsghdr *message = &d->messages[d->frames];
    memset(message, 0, sizeof *message);
    message->msg_hdr.msg_iov = parts;
    message->msg_hdr.msg_iovlen = (size_t)joined + 2;
    d->records[d->frames++] = record;
    d->parts_used += joined + 2;
    return 0;
}

/* Errors that every further frame would get too. */
static bool hopeless(int error) {
    return error == EAGAIN || error == ENETDOWN || error == ENXIO || error == ENODEV ||
           error == EBADF || error == ENOTSOCK;
}

/* Sends what is loaded. sendmmsg does not say why it stopped early: all that is left is handed over
 * once more, for the errno of the first, which is skipped then. */
static int flush(struct departure *d) {
    const int count = d->frames;
    int done = 0;
    d->frames = 0;
    d->parts_used = 0;
    while (done < count) {
        int sent = sendmmsg(d->fd, d->messages + done, (unsigned)(count - done), MSG_DONTWAIT);
        if (sent > 0) {
            done += sent;
            continue;
        }
        int error = sent < 0 ? errno : EIO;
        if (error == EINTR) {
            error = EAGAIN;
        }
        d->records[done++][F_STATUS] = error;
        if (hopeless(error)) {
            for (; done < count; done++) {
                d->records[done][F_STATUS] = error;
            }
            return error;
        }
    }
    return 0;
}

/* What became of a frame, for all its records. */
static void tell_joined(const struct departure *d, const int32_t *record) {
    const int32_t status = record[F_STATUS];
    for (int count = 0; count < JOINED_MAX; count++) {
        int32_t *next = next_of(d, record);
        if (next == NULL) {
            return;
        }
        next[F_STATUS] = status;
        record = next;
    }
}

static bool leaves(const int32_t *record, int32_t port) {
    return (port < 0 || record[F_PORT] == port) && !(record[F_FLAGS] & VNET_JOINED);
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
    /* Left dirty: only what is loaded is read. */
    struct departure d;
    d.fd = fd;
    d.slab = slab;
    d.batch = batch;
    d.batch_records = columns / F_STRIDE;
    d.frames = 0;
    d.parts_used = 0;
    int32_t *const begin = batch + (size_t)first * F_STRIDE;
    int32_t *const end = begin + (size_t)count * F_STRIDE;
    int stopped = 0;
    for (int32_t *record = begin; record < end; record += F_STRIDE) {
        if (!leaves(record, port) || record[F_STATUS] != 0) {
            continue;
        }
        record[F_STATUS] = stopped ? stopped : load(&d, record);
        if (d.frames == MAX_BATCH || d.parts_used > PARTS - JOINED_MAX - 2) {
            stopped = flush(&d);
        }
    }
    flush(&d);
    for (const int32_t *record = begin; record < end; record += F_STRIDE) {
        if (record[F_NEXT] != 0 && leaves(record, port)) {
            tell_joined(&d, record);
        }
    }
    return NULL;
}

bool register_transmit(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"transmit", transmit}};
    return register_functions(env, exports, functions, 1);
}
