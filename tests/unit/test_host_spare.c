/*
 * Spare descriptors: lent when there are no others, and back before anybody else can have them.
 */
#include "host/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/sys.h"

/* No descriptor is left from here on; the limit that was goes to *old. */
static void run_out(int highest, struct rlimit *old)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, old), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)highest + 1, .rlim_max = old->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (fcntl(0, F_DUPFD_CLOEXEC, 0) >= 0) {
        /* the gaps below it */
    }
    assert_int_equal(errno, EMFILE);
}

static int make_socket(void)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void lends_and_takes_back(void **state)
{
    (void)state;
    struct spare s;
    struct rlimit old;
    int source = eventfd(0, EFD_CLOEXEC);
    assert_true(source >= 0);
    assert_int_equal(spare_open(&s, source, 2), ERR_OK);
    run_out(s.fd[0] > s.fd[1] ? s.fd[0] : s.fd[1], &old);

    int got[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(make_socket(), -1);
        assert_true(spare_lend(&s, errno));
        got[i] = make_socket();
        assert_true(got[i] >= 0);
    }
    assert_false(spare_lend(&s, EMFILE));
    for (int i = 0; i < 2; i++) {
        spare_return(&s, got[i]);
        assert_int_equal(make_socket(), -1); /* nobody else has got it */
        int type;
        assert_int_equal(getsockopt(got[i], SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}),
                         -1);
        assert_int_equal(errno, ENOTSOCK); /* the socket is closed */
    }
    assert_int_equal(s.count, 2);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    spare_close(&s);
    close(source);
}

static void holds_no_more_than_wanted(void **state)
{
    (void)state;
    struct spare s;
    int source = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(spare_open(&s, source, 1), ERR_OK);
    uint32_t before = sys_open_files();
    int fd = make_socket();
    assert_false(spare_lend(&s, ECONNREFUSED)); /* that is no want of descriptors */
    spare_return(&s, fd);
    assert_int_equal(sys_open_files(), before);
    assert_true(spare_lend(&s, ENFILE));
    spare_return(&s, make_socket());
    assert_int_equal(s.count, 1);
    spare_close(&s);
    assert_int_equal(sys_open_files(), before - 1);
    spare_return(NULL, make_socket());
    assert_false(spare_lend(NULL, EMFILE));
    assert_int_equal(sys_open_files(), before - 1);
    close(source);
}

static void says_when_they_cannot_be_had(void **state)
{
    (void)state;
    struct spare s;
    struct rlimit old;
    int source = eventfd(0, EFD_CLOEXEC);
    uint32_t before = sys_open_files();
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit tight = {.rlim_cur = before + 2, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(spare_open(&s, source, SPARE_MAX), ERR_IO);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(sys_open_files(), before);
    close(source);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_no_more_than_wanted), cmocka_unit_test(says_when_they_cannot_be_had),
        cmocka_unit_test(lends_and_takes_back), /* the last one: it leaves the gaps filled */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
