/* Any octets as a disk: the file system is read without end or overrun, and a file is never longer
 * than said. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../unikernel/lib/fat.c"

enum { FILE_CAP = 65536, READS_MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *disk;
static size_t disk_len;
static unsigned reads;

static enum err disk_read(struct block_device *d, uint64_t sector, uint32_t count, void *out)
{
    (void)d;
    if (++reads > READS_MAX) {
        abort(); /* it goes round in a circle */
    }
    memset(out, 0, (size_t)count * BLOCK_SECTOR);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = (sector + i) % (disk_len / BLOCK_SECTOR) * BLOCK_SECTOR;
        memcpy((uint8_t *)out + (size_t)i * BLOCK_SECTOR, disk + at, BLOCK_SECTOR);
    }
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"sinkhole.conf", "STATE.BIN", "a"};
    struct block_device device = {.name = "fuzz", .read = disk_read};
    struct fat fs;
    if (size < BLOCK_SECTOR) {
        return 0;
    }
    disk = data;
    disk_len = size / BLOCK_SECTOR * BLOCK_SECTOR;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fat_file file;
        uint64_t sector;
        uint32_t sectors, len = 0;
        reads = 0;
        if (fat_open(&device, &fs) != ERR_OK || fat_find(&fs, names[i], &file) != ERR_OK) {
            continue;
        }
        uint8_t *out = malloc(FILE_CAP);
        if (out && fat_read(&fs, &file, out, FILE_CAP, &len) == ERR_OK && len > FILE_CAP) {
            abort();
        }
        free(out);
        (void)!fat_extent(&fs, &file, &sector, &sectors);
    }
    return 0;
}
