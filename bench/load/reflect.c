/*
 * A UDP server that does next to nothing, with the same calls as the real one: recvmmsg, sendmmsg.
 *
 *     reflect [--answer] ADDR PORT
 *
 * Plain, it sends each packet back as it came: the baseline for a DNS server on this machine. With
 * --answer it is the fastest possible upstream: each question gets one A record.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH  64
#define STRIDE (2048 + 64)

static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec iov[BATCH];
static struct sockaddr_in6 name[BATCH];
static uint8_t data[BATCH][STRIDE];

/* Question to answer in place; returns its length, 0 for what is no question. */
static size_t answer(uint8_t *p, size_t len)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 198, 51, 100, 1};
    size_t pos = 12;
    while (pos < len && p[pos] != 0) {
        pos += p[pos] + 1u;
    }
    pos += 5;
    if (len < 17 || pos > len) {
        return 0;
    }
    p[2] = (uint8_t)((p[2] & 1) | 0x80);
    p[3] = 0x80;
    memset(p + 6, 0, 6);
    if (p[pos - 4] == 0 && p[pos - 3] == 1) {
        p[7] = 1;
        memcpy(p + pos, record, sizeof record);
        pos += sizeof record;
    }
    return pos;
}

int main(int argc, char **argv)
{
    bool answers = argc == 4 && strcmp(argv[1], "--answer") == 0;
    if (argc != 3 && !answers) {
        fprintf(stderr, "usage: reflect [--answer] ADDR PORT\n");
        return 2;
    }
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[argc - 1]))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (inet_pton(AF_INET, argv[argc - 2], &to.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("reflect");
        return 1;
    }
    for (unsigned i = 0; i < BATCH; i++) {
        in[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1, .msg_name = &name[i]};
        iov[i].iov_base = data[i];
    }
    for (;;) {
        for (unsigned i = 0; i < BATCH; i++) {
            iov[i].iov_len = 2048;
            in[i].msg_hdr.msg_namelen = sizeof name[i];
        }
        int n = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
        unsigned replies = 0;
        for (int i = 0; i < n; i++) {
            size_t len = answers ? answer(data[i], in[i].msg_len) : in[i].msg_len;
            if (len > 0) {
                iov[i].iov_len = len;
                out[replies++].msg_hdr = in[i].msg_hdr;
            }
        }
        for (unsigned done = 0; done < replies;) {
            int sent = sendmmsg(fd, out + done, replies - done, 0);
            done += sent > 0 ? (unsigned)sent : 1;
        }
    }
}
