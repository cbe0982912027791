/* Sends frames with a vnet header of the caller's choosing, as no honest program does: each line of
 * standard input is the hexadecimal bytes of struct virtio_net_hdr and the frame behind it; each
 * answer "sent" or what the kernel says. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_BYTES = 70000 };
static char line[2 * MAX_BYTES + 2];
static uint8_t bytes[MAX_BYTES];

int main(int count, char **words) {
    static const int on = 1;
    struct sockaddr_ll to = {.sll_family = AF_PACKET};
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    to.sll_ifindex = count == 2 ? (int)if_nametoindex(words[1]) : 0;
    if (fd < 0 || to.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0) {
        perror("raw-sender");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t length = strcspn(line, "\n") / 2;
        for (size_t i = 0; i < length; i++) {
            unsigned value;
            sscanf(line + 2 * i, "%2x", &value);
            bytes[i] = (uint8_t)value;
        }
        puts(send(fd, bytes, length, 0) < 0 ? strerrorname_np(errno) : "sent");
    }
    return 0;
}
