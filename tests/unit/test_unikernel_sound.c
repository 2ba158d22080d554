/* Signs at the jack: their samples, and the order in which pins, clock, PWM and DMA are set up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../unikernel/drivers/bcm_gpio.c"
#include "../../unikernel/drivers/bcm_pwm.c"
#include "../../unikernel/lib/sign.c"

enum { PWM = 0x1000, CLOCKS = 0x2000, GPIO = 0x3000, DMA = 0x4000, RATE = 22050 };
static const struct bcm_pwm pi3 = {PWM, CLOCKS, GPIO, DMA, 0x7E20C018U, 5, 500, 2};
static const struct bcm_pwm pi4 = {PWM, CLOCKS, GPIO, DMA, 0x7E20C818U, 1, 750, 6};

usec_t fake_now;

/* The registers, and what must not be done to them. */
static struct {
    uint32_t select[6];
    uint32_t cm_ctl, cm_div, ctl, dmac, range[2], cs, conblk;
    bool clock_stuck;
    int violations;
    char trace[256];
} m;

static void note_step(const char *step)
{
    strcat(m.trace, step);
    strcat(m.trace, " ");
}

static void write_clock(uintptr_t reg, uint32_t v)
{
    m.violations += v >> 24 != 0x5a;
    if (reg == CM_DIV) {
        m.violations += (m.cm_ctl & CM_BUSY) != 0; /* not under a running clock */
        m.cm_div = v & 0xffffff;
        note_step("div");
        return;
    }
    if (v & CM_KILL) {
        m.cm_ctl = m.clock_stuck ? CM_BUSY : 0;
        note_step("kill");
    } else {
        m.violations += (v & CM_ENABLE) && (m.cm_ctl & 15) != (v & 15); /* source first, then on */
        m.cm_ctl = (v & 0x1f) | (v & CM_ENABLE ? (uint32_t)CM_BUSY : 0);
        note_step(v & CM_ENABLE ? "on" : "source");
    }
}

static void write_pwm(uintptr_t reg, uint32_t v)
{
    if (reg == PWM_CTL) {
        bool on = v & (CTL_ENABLE1 | CTL_ENABLE2);
        m.violations += on && (m.range[0] == 0 || m.range[0] != m.range[1] || !(m.dmac >> 31) ||
                               !(m.cm_ctl & CM_BUSY));
        m.ctl = v & ~(uint32_t)CTL_CLEAR;
        note_step(on ? "pwm" : v & CTL_CLEAR ? "clear" : "off");
    } else if (reg == PWM_RNG1 || reg == PWM_RNG2) {
        m.range[reg == PWM_RNG2] = v;
    } else if (reg == PWM_DMAC) {
        m.dmac = v;
    } else {
        m.violations += reg != PWM_STA;
    }
}

void write32(uintptr_t address, uint32_t v)
{
    uintptr_t reg = address & 0xfff;
    switch (address & ~(uintptr_t)0xfff) {
    case GPIO:
        m.select[reg / 4] = v;
        break;
    case CLOCKS:
        write_clock(reg, v);
        break;
    case PWM:
        write_pwm(reg, v);
        break;
    case DMA:
        if (reg == DMA_CONBLK) {
            m.violations += (m.cs & CS_ACTIVE) != 0;
            m.conblk = v;
        } else {
            m.cs = v & CS_RESET ? 0 : v;
            note_step(v & CS_RESET ? "reset" : "go");
            m.violations += (m.cs & CS_ACTIVE) && !(m.ctl & CTL_ENABLE1);
        }
        break;
    default:
        m.violations++;
    }
}

uint32_t read32(uintptr_t address)
{
    switch (address) {
    case CLOCKS + CM_CTL:
        return m.cm_ctl;
    case DMA + DMA_CS:
        return m.cs;
    default:
        return address >= GPIO && address < GPIO + 24 ? m.select[(address - GPIO) / 4] : 0;
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&m, 0, sizeof m);
    m.cm_ctl = CM_BUSY | CM_ENABLE | 1; /* as firmware may leave it */
    return 0;
}

static void starts_in_the_order_that_the_hardware_wants(void **state)
{
    static uint32_t words[8];
    (void)state;
    m.select[4] = 0x3fffffff;
    assert_true(bcm_pwm_start(&pi3, RATE));
    assert_int_equal(m.select[4], 0x3fffffe4); /* pins 40 and 41 to ALT0, the others as they were */
    assert_int_equal(m.cm_div, 2 << 12);
    assert_int_equal(m.range[0], 250000000 / RATE);
    bcm_pwm_play(&pi3, words, ARRAY_LEN(words));
    assert_string_equal(m.trace, "off kill div source on clear pwm reset go ");
    assert_int_equal(m.violations, 0);
    assert_true(bcm_pwm_busy(&pi3));
    assert_int_equal(m.conblk, dma_bus_address(&block));
    assert_int_equal(block.destination, 0x7E20C018U);
    assert_int_equal(block.source, dma_bus_address(words));
    assert_int_equal(block.octets, sizeof words);
    assert_int_equal(block.next, 0);
    assert_int_equal(block.info >> TI_PERMAP & 31, 5);
    m.cs &= ~(uint32_t)CS_ACTIVE;
    assert_false(bcm_pwm_busy(&pi3));
    bcm_pwm_stop(&pi3);
    assert_int_equal(m.ctl, 0);
    assert_int_equal(m.cm_ctl, 0);
    assert_int_equal(m.violations, 0);
}

static void a_clock_that_does_not_stop_is_given_up(void **state)
{
    (void)state;
    m.clock_stuck = true;
    assert_false(bcm_pwm_start(&pi4, RATE));
    assert_int_equal(m.ctl, 0);
    assert_null(strstr(m.trace, "pwm"));
}

/* Times that the sign crosses its middle upwards in a stretch of frames. */
static unsigned crossings(const uint32_t *w, size_t from, size_t to, uint32_t middle)
{
    unsigned n = 0;
    for (size_t i = from + 1; i < to; i++) {
        n += w[2 * i - 2] < middle && w[2 * i] >= middle;
    }
    return n;
}

static void signs_begin_and_end_in_silence_and_have_their_notes(void **state)
{
    static uint32_t w[2 * SIGN_FRAMES_MAX];
    (void)state;
    for (int s = SIGN_READY; s <= SIGN_NO_UPSTREAM; s++) {
        uint32_t range = bcm_pwm_range(s ? &pi3 : &pi4, RATE), most = 0, least = range;
        size_t n = sign_make((enum sign)s, RATE, range, w), ramp_frames = RAMP_MS * RATE / 1000;
        assert_in_range(n, 1, SIGN_FRAMES_MAX);
        assert_true(n < RATE / 2); /* short */
        assert_int_equal(w[0], 0);
        assert_int_equal(w[2 * n - 2], 0);
        for (size_t i = 0; i < n; i++) {
            uint32_t v = w[2 * i], before = i ? w[2 * i - 2] : 0;
            assert_int_equal(v, w[2 * i + 1]); /* both sides */
            assert_true(v <= range);
            assert_true((v > before ? v - before : before - v) < range / 10); /* nothing clicks */
            if (i >= ramp_frames && i < n - ramp_frames) {
                most = v > most ? v : most;
                least = v < least ? v : least;
            }
        }
        assert_in_range(most, range / 2 + range / 9, range / 2 + range / 8 + 1);
        assert_in_range(least, range / 2 - range / 8 - 1, range / 2 - range / 9);
        const struct note *notes = signs[s];
        size_t cut = ramp_frames + notes[0].ms * RATE / 1000;
        unsigned first = crossings(w, ramp_frames, cut, range / 2);
        unsigned second = crossings(w, cut, n - ramp_frames, range / 2);
        assert_in_range(first, notes[0].hz * notes[0].ms / 1000 - 2,
                        notes[0].hz * notes[0].ms / 1000 + 1);
        assert_in_range(second, notes[1].hz * notes[1].ms / 1000 - 2,
                        notes[1].hz * notes[1].ms / 1000 + 1);
    }
    size_t longest = sign_make(SIGN_NO_UPSTREAM, 32000, 1000, w);
    assert_true(longest <= SIGN_FRAMES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_in_the_order_that_the_hardware_wants, setup),
        cmocka_unit_test_setup(a_clock_that_does_not_stop_is_given_up, setup),
        cmocka_unit_test_setup(signs_begin_and_end_in_silence_and_have_their_notes, setup),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unikernel_sound", tests, NULL, NULL);
}
