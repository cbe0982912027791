/* A device on a tagged access line: everything it sends gets the tags, and only what bears exactly
 * these tags reaches it, bare. Programs for tc (no 802.1Q device is needed); TAGS, TPIDn and VIDn
 * come from the compiler's command line, 1 is the innermost tag. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define VLAN_VID_MASK 0x0fff
/* The tag's type is in network byte order. */
#define PUSH(tpid, vid)                                                                            \
    if (vlan_push(skb, __builtin_bswap16(tpid), vid) != 0)                                         \
    return TC_ACT_SHOT
#define POP(vid)                                                                                   \
    if (!skb->vlan_present || (skb->vlan_tci & VLAN_VID_MASK) != (vid) || vlan_pop(skb) != 0)      \
    return TC_ACT_SHOT

static long (*const vlan_push)(struct __sk_buff *, __u16, __u16) = (void *)BPF_FUNC_skb_vlan_push;
static long (*const vlan_pop)(struct __sk_buff *) = (void *)BPF_FUNC_skb_vlan_pop;

__attribute__((section("push"), used)) int do_push(struct __sk_buff *skb) {
    PUSH(TPID1, VID1);
#if TAGS > 1
    PUSH(TPID2, VID2);
#endif
#if TAGS > 2
    PUSH(TPID3, VID3);
#endif
#if TAGS > 3
    PUSH(TPID4, VID4);
#endif
    return TC_ACT_OK;
}

__attribute__((section("pop"), used)) int do_pop(struct __sk_buff *skb) {
#if TAGS > 3
    POP(VID4);
#endif
#if TAGS > 2
    POP(VID3);
#endif
#if TAGS > 1
    POP(VID2);
#endif
    POP(VID1);
    /* One more tag than ours: somebody else's. */
    return skb->vlan_present ? TC_ACT_SHOT : TC_ACT_OK;
}

const char terms[] __attribute__((section("license"), used)) = "GPL";
