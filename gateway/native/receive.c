/* Receiving a batch: frames straight into the slots of the slab, what Linux tells about them into
 * records. */
#include "addon.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>

/* SLOT_ROOM is the largest frame taken: an IPv6 superpacket of 65,535 + 40 bytes with Ethernet
 * header and an inner tag fits; what is left of the slot stays free for a trailer. */
enum { MAX_BATCH = 64, SLOT_ROOM = SLOT_SIZE - SLOT_HEADROOM - SLOT_TAILROOM };

struct arrival {
    struct virtio_net_hdr header;
    struct iovec parts[2];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
};

/* What recvmmsg(2) is handed: of each thread, made ready for a row of slots once. A frame that
 * comes alone then costs one arrival, not as many as a batch has (measured: 3 us of a cold cache).
 */
static _Thread_local struct {
    uint8_t *row; /* the first slot; NULL: none yet */
    int32_t ready;
    struct arrival arrivals[MAX_BATCH];
    struct mmsghdr messages[MAX_BATCH];
} expected;

static void expect(struct arrival *arrival, struct mmsghdr *message, uint8_t *frame) {
    arrival->parts[0] = (struct iovec){&arrival->header, sizeof arrival->header};
    arrival->parts[1] = (struct iovec){frame, SLOT_ROOM};
    memset(message, 0, sizeof *message);
    message->msg_hdr.msg_iov = arrival->parts;
    message->msg_hdr.msg_iovlen = 2;
    message->msg_hdr.msg_control = &arrival->control;
    message->msg_hdr.msg_controllen = sizeof arrival->control;
}

static void expect_row(uint8_t *row, int32_t max) {
    if (expected.row != row) {
        expected.row = row;
        expected.ready = 0;
    }
    for (; expected.ready < max; expected.ready++) {
        int32_t i = expected.ready;
        expect(&expected.arrivals[i], &expected.messages[i],
               row + (size_t)i * SLOT_SIZE + SLOT_HEADROOM);
    }
}

static void record_tag(struct msghdr *message, int32_t *record) {
    struct tpacket_auxdata aux;
    record[F_VLAN_TCI] = -1;
    record[F_VLAN_TPID] = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
            c->cmsg_len < CMSG_LEN(sizeof aux)) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (aux.tp_status & TP_STATUS_VLAN_VALID) {
            record[F_VLAN_TCI] = aux.tp_vlan_tci;
            record[F_VLAN_TPID] =
                aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100;
        }
    }
}

static void record_frame(struct arrival *arrival, struct mmsghdr *message, size_t offset,
                         int32_t *record) {
    const struct virtio_net_hdr *header = &arrival->header;
    const bool partial = header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
    const bool merged = header->gso_type != VIRTIO_NET_HDR_GSO_NONE;
    /* MSG_TRUNC: the length on the wire, whatever fitted. */
    size_t length = message->msg_len > sizeof *header ? message->msg_len - sizeof *header : 0;
    size_t missing = length > SLOT_ROOM ? length - SLOT_ROOM : 0;
    record[F_OFFSET] = (int32_t)offset;
    record[F_LENGTH] = (int32_t)(length - missing);
    record[F_FLAGS] = header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
    record[F_GSO_TYPE] = header->gso_type;
    record[F_GSO_SIZE] = merged ? header->gso_size : 0;
    record[F_CSUM_START] = partial ? header->csum_start : 0;
    record[F_CSUM_OFFSET] = partial ? header->csum_offset : 0;
    record_tag(&message->msg_hdr, record);
    record[F_STATUS] = (int32_t)missing;
}

int receive_frames(int fd, const struct bytes *slab, int32_t *batch, int32_t first, int32_t max) {
    max = max > MAX_BATCH ? MAX_BATCH : max;
    if (max == 0) {
        return 0;
    }
    const size_t row = (size_t)first * SLOT_SIZE;
    expect_row(slab->data + row, max);
    int got = recvmmsg(fd, expected.messages, (unsigned)max, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    for (int32_t i = 0; i < got; i++) {
        record_frame(&expected.arrivals[i], &expected.messages[i],
                     row + (size_t)i * SLOT_SIZE + SLOT_HEADROOM,
                     batch + (size_t)(first + i) * F_STRIDE);
        /* The kernel wrote how much there was. */
        expected.messages[i].msg_hdr.msg_controllen = sizeof expected.arrivals[i].control;
    }
    return got;
}

bool receive_fits(napi_env env, const struct bytes *slab, size_t columns, int32_t first,
                  int32_t max) {
    if (range_fits(slab->length, (int64_t)first * SLOT_SIZE, (int64_t)max * SLOT_SIZE) &&
        range_fits(columns, (int64_t)first * F_STRIDE, (int64_t)max * F_STRIDE)) {
        return true;
    }
    throw_range(env, "firstSlot and max: slots inside slab and batch expected");
    return false;
}

/* receive(fd, slab, batch, firstSlot, max): number of frames, or -errno */
static napi_value receive(napi_env env, napi_callback_info info) {
    napi_value args[5];
    size_t count = 5, columns;
    struct bytes slab;
    int32_t *batch, fd, first, max;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok ||
        !arg_int(env, args[0], "fd", 0, INT32_MAX, &fd) ||
        !arg_bytes(env, args[1], "slab", &slab) ||
        !arg_int32s(env, args[2], "batch", &batch, &columns) ||
        !arg_int(env, args[3], "firstSlot", 0, INT32_MAX / SLOT_SIZE, &first) ||
        !arg_int(env, args[4], "max", 0, INT32_MAX / SLOT_SIZE, &max) ||
        !receive_fits(env, &slab, columns, first, max)) {
        return NULL;
    }
    return js_int(env, receive_frames(fd, &slab, batch, first, max));
}

bool register_receive(napi_env env, napi_value exports) {
    static const native_function functions[] = {{"receive", receive}};
    return register_functions(env, exports, functions, 1);
}
