/*
 * The GENET driver against a model of its registers, written from the same facts: it counts every
 * use of the device that real hardware would punish (frames sent without link, ring or descriptor
 * flags; indexes that the hardware owns).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../unikernel/drivers/genet.c"

usec_t fake_now;

enum { BASE = 0x1000, REGISTERS = 0x6000, WIRE_MAX = 2048 };
#define M(reg) model.m[(reg) / 4]

static struct {
    uint32_t m[REGISTERS / 4];
    uint16_t phy[32];
    bool phy_dead;
    int violations;
    uint32_t sent, last_len;
    uint8_t last[BUFFER];
} model;

static void violated(bool fine)
{
    model.violations += !fine;
}

static void *buffer_at(uint32_t desc)
{
    return (void *)(uintptr_t)((uint64_t)M(desc + 8) << 32 | M(desc + 4));
}

static void transmit(uint16_t prod)
{
    uint16_t cons = (uint16_t)M(TX_RING + TX_CONS);
    if ((M(TX_DMA + DMA_CTRL) & DMA_ON) != DMA_ON) {
        violated(prod == cons);
        return;
    }
    while (cons != prod) {
        uint32_t desc = TX_DESC + 12U * (cons++ % RING);
        uint32_t len = M(desc) >> 16 & 0xfff;
        uint32_t oob = M(EXT_RGMII_OOB);
        violated((M(desc) & (DESC_SOP | DESC_EOP | DESC_CRC)) == (DESC_SOP | DESC_EOP | DESC_CRC));
        violated(len >= 60 && len <= NIC_FRAME_MAX);
        violated((oob & (OOB_RGMII_LINK | OOB_DISABLE | OOB_RGMII_MODE | OOB_ID_MODE_DISABLE)) ==
                 (OOB_RGMII_LINK | OOB_RGMII_MODE | OOB_ID_MODE_DISABLE));
        violated((M(UMAC_CMD) & CMD_TX) && M(SYS_PORT) == 3);
        model.sent++;
        model.last_len = len;
        memcpy(model.last, buffer_at(desc), len);
    }
    M(TX_RING + TX_CONS) = cons;
}

void write32(uintptr_t address, uint32_t value)
{
    uint32_t reg = (uint32_t)(address - BASE);
    assert_true(reg < REGISTERS && reg % 4 == 0);
    if (reg == UMAC_MDIO && (value & MDIO_BUSY)) {
        uint32_t phy = value >> 21 & 31, r = value >> 16 & 31;
        M(reg) = (value & ~(MDIO_BUSY | 0xffffU)) |
                 (phy == PHY_ADDRESS && !model.phy_dead ? model.phy[r] : MDIO_FAILED | 0xffff);
        return;
    }
    violated(reg != RX_RING + RX_PROD && reg != TX_RING + TX_CONS);
    if (reg == TX_RING + TX_PROD) {
        M(reg) = value & 0xffff;
        transmit((uint16_t)value);
        return;
    }
    M(reg) = value;
}

uint32_t read32(uintptr_t address)
{
    return M(address - BASE);
}

/* A frame arrives from the wire with the given status bits; false if the ring is full (then it is
 * counted as discarded). */
static bool arrive(const void *frame, uint32_t len, uint32_t status)
{
    uint32_t prod = M(RX_RING + RX_PROD);
    violated((M(RX_DMA + DMA_CTRL) & DMA_ON) == DMA_ON && (M(UMAC_CMD) & CMD_RX));
    if ((uint16_t)((uint16_t)prod - (uint16_t)M(RX_RING + RX_CONS)) >= RING) {
        M(RX_RING + RX_PROD) = prod + 0x10000;
        return false;
    }
    uint32_t desc = RX_DESC + 12U * ((prod & 0xffff) % RING);
    uint8_t *b = buffer_at(desc);
    memset(b, 0xee, PAD);
    memcpy(b + PAD, frame, len);
    M(desc) = (len + PAD) << 16 | status;
    M(RX_RING + RX_PROD) = (prod & 0xffff0000) | ((prod + 1) & 0xffff);
    return true;
}

static const uint8_t mac[6] = {0xdc, 0xa6, 0x32, 1, 2, 3};
enum { GOOD = DESC_SOP | DESC_EOP, INDEX_RX = 0xfff0, INDEX_TX = 0xffe0 };

static int setup(void **state)
{
    (void)state;
    memset(&model, 0, sizeof model);
    M(SYS_REV) = 0x06000000;
    /* A warm start: indexes that the hardware owns are where they were. */
    M(RX_RING + RX_PROD) = INDEX_RX;
    M(TX_RING + TX_CONS) = INDEX_TX;
    static const uint16_t phy[] = {0x1140, 0x796d, 0x600d, 0x84a2, 0x01e1, 0xc1e1,
                                   0,      0,      0,      0x0200, 0x0800};
    memcpy(model.phy, phy, sizeof phy);
    return 0;
}

static struct nic *start(void)
{
    struct nic *nic = genet_start(BASE, mac);
    assert_non_null(nic);
    return nic;
}

static void sets_address_rings_and_speed(void **state)
{
    (void)state;
    struct nic *nic = start();
    struct nic_link link;
    nic->link(nic, &link);
    assert_true(link.up && link.full_duplex);
    assert_int_equal(link.mbit, 1000);
    assert_int_equal(M(UMAC_MAC0), 0xdca63201);
    assert_int_equal(M(UMAC_MAC1), 0x0203);
    assert_int_equal(M(UMAC_CMD) >> CMD_SPEED_SHIFT & 3, SPEED_1000);
    assert_int_equal(M(RX_RING + RING_END), 256 * 3 - 1);
    assert_int_equal(model.violations, 0);
}

static void carries_frames_past_the_wrap_of_its_indexes(void **state)
{
    (void)state;
    struct nic *nic = start();
    uint8_t frame[NIC_FRAME_MAX];
    for (uint32_t i = 0; i < 70000; i++) {
        uint32_t len = 60 + i % (NIC_FRAME_MAX - 60);
        memset(frame, (int)i, len);
        assert_true(nic->send(nic, frame, len));
        assert_int_equal(model.last_len, len);
        assert_memory_equal(model.last, frame, len);
        assert_true(arrive(frame, len, GOOD));
        size_t got;
        const uint8_t *in = nic->receive(nic, &got);
        assert_non_null(in);
        assert_int_equal(got, len);
        assert_memory_equal(in, frame, len);
        nic->receive_done(nic);
        assert_null(nic->receive(nic, &got));
    }
    assert_int_equal(model.sent, 70000);
    assert_int_equal(model.violations, 0);
}

static void pads_short_frames_with_zeros(void **state)
{
    (void)state;
    struct nic *nic = start();
    assert_true(nic->send(nic, "abc", 3));
    assert_int_equal(model.last_len, 60);
    for (int i = 3; i < 60; i++) {
        assert_int_equal(model.last[i], 0);
    }
}

static void drops_bad_frames_and_goes_on(void **state)
{
    (void)state;
    struct nic *nic = start();
    uint8_t frame[100] = {1};
    size_t len;
    for (uint32_t error = 1; error <= 0x10; error <<= 1) {
        assert_true(arrive(frame, 100, GOOD | error));
    }
    assert_true(arrive(frame, 100, DESC_SOP)); /* no end: a frame in two buffers */
    assert_true(arrive(frame, 2, GOOD));       /* shorter than an Ethernet header */
    assert_true(arrive(frame, 100, GOOD));
    assert_non_null(nic->receive(nic, &len));
    assert_int_equal(len, 100);
    nic->receive_done(nic);
    assert_int_equal(nic->counters.rx_errors, 7);
    assert_int_equal(nic->counters.rx_frames, 1);
}

static void counts_what_the_hardware_discarded(void **state)
{
    (void)state;
    struct nic *nic = start();
    uint8_t frame[100] = {1};
    size_t len;
    int stored = 0;
    for (int i = 0; i < RING + 10; i++) {
        stored += arrive(frame, 100, GOOD);
    }
    assert_int_equal(stored, RING);
    int taken = 0;
    while (nic->receive(nic, &len)) {
        nic->receive_done(nic);
        taken++;
    }
    assert_int_equal(taken, RING);
    assert_int_equal(nic->counters.rx_dropped, 10);
}

static void refuses_to_send_without_link_or_room(void **state)
{
    (void)state;
    struct nic *nic = start();
    struct nic_link link;
    uint8_t frame[NIC_FRAME_MAX + 1] = {0};
    assert_false(nic->send(nic, frame, NIC_FRAME_MAX + 1));
    model.phy[MII_STATUS] = 0x7949; /* cable out */
    nic->link(nic, &link);
    assert_false(link.up);
    assert_false(nic->send(nic, frame, 60));
    model.phy[MII_STATUS] = 0x796d;
    model.phy[MII_STAT1000] = 0; /* back on an old switch */
    nic->link(nic, &link);
    assert_true(link.up);
    assert_int_equal(link.mbit, 100);
    assert_int_equal(M(UMAC_CMD) >> CMD_SPEED_SHIFT & 3, SPEED_100);
    assert_true(nic->send(nic, frame, 60));
    assert_int_equal(nic->counters.tx_dropped, 2);
    assert_int_equal(model.violations, 0);
}

static void says_no_to_another_version_and_a_dead_phy(void **state)
{
    (void)state;
    M(SYS_REV) = 0x05000000;
    assert_null(genet_start(BASE, mac));
    M(SYS_REV) = 0x06000000;
    model.phy_dead = true;
    assert_null(genet_start(BASE, mac));
    model.phy_dead = false;
    assert_non_null(genet_start(BASE, mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sets_address_rings_and_speed, setup),
        cmocka_unit_test_setup(carries_frames_past_the_wrap_of_its_indexes, setup),
        cmocka_unit_test_setup(pads_short_frames_with_zeros, setup),
        cmocka_unit_test_setup(drops_bad_frames_and_goes_on, setup),
        cmocka_unit_test_setup(counts_what_the_hardware_discarded, setup),
        cmocka_unit_test_setup(refuses_to_send_without_link_or_room, setup),
        cmocka_unit_test_setup(says_no_to_another_version_and_a_dead_phy, setup),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unikernel_genet", tests, NULL, NULL);
}
