/*
 * Threads that share work: each job is done once, and nothing is left when the call returns.
 */
#include "host/crew.h"
#include "unit.h"

enum { JOBS = 300, ROUNDS = 200 };

struct sheet {
    unsigned done[JOBS]; /* no atomics: what a job writes, the maker may read afterwards */
};

static void note(void *arg, unsigned i)
{
    ((struct sheet *)arg)->done[i]++;
}

static void each_job_is_done_once(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        struct sheet sheet = {{0}};
        struct crew *crew = crew_new(threads);
        assert_non_null(crew);
        assert_in_range(crew_threads(crew), 1, threads);
        for (unsigned round = 0; round < ROUNDS; round++) {
            unsigned count = round % JOBS;
            crew_run(crew, note, &sheet, count);
            for (unsigned i = 0; i < count; i++) {
                sheet.done[i]--;
            }
        }
        for (unsigned i = 0; i < JOBS; i++) {
            assert_int_equal(sheet.done[i], 0);
        }
        crew_free(crew);
    }
}

static void nothing_to_do_and_nobody_there(void **state)
{
    (void)state;
    struct sheet sheet = {{0}};
    struct crew *crew = crew_new(0);
    assert_non_null(crew);
    assert_int_equal(crew_threads(crew), 1);
    crew_run(crew, note, &sheet, 0);
    crew_run(crew, note, &sheet, 1);
    assert_int_equal(sheet.done[0], 1);
    assert_int_equal(sheet.done[1], 0);
    crew_free(crew);
    crew_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_is_done_once),
        cmocka_unit_test(nothing_to_do_and_nobody_there),
    };
    return UNIT_RUN(tests);
}
