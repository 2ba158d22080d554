/* Frames with questions, and their answers. */
#include <string.h>

#include "base/span.h"
#include "host/xdp_frame.h"
#include "unit.h"

enum { V4 = 42, V6 = 62, PAYLOAD = 33 };

static uint8_t frame[1600];

static void make(bool v4)
{
    static const uint8_t ether[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    memset(frame, 0, sizeof frame);
    memcpy(frame, ether, sizeof ether);
    uint8_t *ip = frame + 14, *udp = ip + (v4 ? 20 : 40);
    be16_write(frame + 12, v4 ? 0x0800 : 0x86dd);
    if (v4) {
        static const uint8_t addresses[8] = {192, 0, 2, 7, 192, 0, 2, 1};
        ip[0] = 0x45;
        be16_write(ip + 2, 20 + 8 + PAYLOAD);
        be16_write(ip + 6, 0x4000);
        ip[8] = 3;
        ip[9] = 17;
        memcpy(ip + 12, addresses, sizeof addresses);
    } else {
        ip[0] = 0x6f;
        be16_write(ip + 4, 8 + PAYLOAD);
        ip[6] = 17;
        ip[7] = 3;
        ip[8] = ip[24] = 0xfd;
        ip[23] = 7;
        ip[39] = 1;
    }
    be16_write(udp, 40000);
    be16_write(udp + 2, 53);
    be16_write(udp + 4, 8 + PAYLOAD);
    for (unsigned i = 0; i < PAYLOAD; i++) {
        udp[8 + i] = (uint8_t)(i * 7);
    }
}

static bool reads(size_t len)
{
    struct peer peer;
    uint16_t port;
    uint8_t *data;
    size_t data_len;
    return xdp_frame_read(frame, len, &peer, &port, &data, &data_len);
}

/* The sum over what a checksum covers, the checksum included, is all ones (RFC 1071). */
static unsigned sum(unsigned start, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        start += (unsigned)(i % 2 == 0 ? p[i] << 8 : p[i]);
    }
    while (start >> 16 != 0) {
        start = (start & 0xffff) + (start >> 16);
    }
    return start;
}

static void tells_who_asks_and_what(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        struct peer peer;
        uint16_t port = 0;
        uint8_t *data = NULL;
        size_t len = 0, head = v4 ? V4 : V6;
        make(v4 != 0);
        assert_true(xdp_frame_read(frame, head + PAYLOAD + 5, &peer, &port, &data, &len));
        assert_int_equal(port, 53);
        assert_int_equal(peer.port, 40000);
        assert_ptr_equal(data, frame + head);
        assert_int_equal(len, PAYLOAD); /* not what an interface filled up to 60 octets */
        assert_int_equal(peer.addr.b[15], 7);
        assert_int_equal(peer.local.b[15], 1);
        assert_int_equal(ip_is_v4(&peer.addr), v4);
    }
}

static void answers_go_back_with_checksums(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        for (size_t len = 12; len < 1200; len += 37) {
            size_t head = v4 ? V4 : V6;
            make(v4 != 0);
            assert_true(reads(head + PAYLOAD));
            memset(frame + head, (int)len, len);
            assert_int_equal(xdp_frame_answer(frame, len), head + len);
            const uint8_t *ip = frame + 14, *udp = frame + head - 8;
            assert_int_equal(frame[5], 2);
            assert_int_equal(frame[11], 1);
            assert_int_equal(be16_read(udp), 53);
            assert_int_equal(be16_read(udp + 2), 40000);
            assert_int_equal(be16_read(udp + 4), 8 + len);
            assert_int_equal(ip[v4 ? 8 : 7], 64);
            assert_int_equal(v4 ? be16_read(ip + 2) : be16_read(ip + 4), len + (v4 ? 28 : 8));
            assert_int_equal(ip[v4 ? 15 : 23], 1);
            assert_int_equal(ip[v4 ? 19 : 39], 7);
            if (v4) {
                assert_int_equal(sum(0, ip, 20), 0xffff);
            }
            unsigned pseudo = sum(17 + 8 + (unsigned)len, v4 ? ip + 12 : ip + 8, v4 ? 8 : 32);
            assert_int_equal(sum(pseudo, udp, 8 + len), 0xffff);
        }
    }
}

static void what_is_no_plain_question_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        bool v4;
        unsigned at;
        uint8_t value;
    } rows[] = {
        {"to a group", true, 0, 3},
        {"from a group", true, 6, 3},
        {"another protocol", true, 13, 6},
        {"options", true, 14, 0x46},
        {"TCP", true, 23, 6},
        {"more fragments", true, 20, 0x20},
        {"a later fragment", true, 21, 1},
        {"from a multicast address", true, 26, 230},
        {"from this network", true, 26, 0},
        {"from loopback", true, 26, 127},
        {"longer than it is", true, 17, 90},
        {"UDP longer than it is", true, 39, 90},
        {"UDP too short", true, 39, 7},
        {"from port 0", true, 34, 0},
        {"extension header", false, 20, 44},
        {"version", false, 14, 0x40},
        {"longer than it is", false, 19, 90},
        {"from a group", false, 22, 0xff},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = (rows[i].v4 ? V4 : V6) + PAYLOAD;
        make(rows[i].v4);
        assert_true(reads(len));
        frame[rows[i].at] = rows[i].value;
        frame[35] = rows[i].at == 34 ? 0 : frame[35];
        if (reads(len)) {
            fail_msg("taken: %s", rows[i].why);
        }
    }
}

static void cut_off_frames_are_refused(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        make(v4 != 0);
        for (size_t len = 0; len < (v4 ? V4 : V6) + (size_t)PAYLOAD; len++) {
            assert_false(reads(len));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_asks_and_what),
        cmocka_unit_test(answers_go_back_with_checksums),
        cmocka_unit_test(what_is_no_plain_question_is_refused),
        cmocka_unit_test(cut_off_frames_are_refused),
    };
    return UNIT_RUN(tests);
}
