/*
 * The machine and this process from /proc and /sys. Whatever cannot be read stays unknown.
 */
#include "host/sysinfo.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "host/sys.h"

#define FILE_MAX  16384
#define SAMPLE_US USEC_PER_SEC

/* The beginning of a small file as text; false if there is none. */
static bool read_text(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);
    if (fd >= 0) {
        close(fd);
    }
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Printable text up to the end of the line. */
static void copy_line(char *to, size_t cap, const char *from)
{
    size_t n = 0;
    while (n + 1 < cap && (unsigned char)from[n] >= 0x20 && from[n] != 0x7f) {
        to[n] = from[n];
        n++;
    }
    to[n] = '\0';
}

/* "Key:   123 kB" */
static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void read_memory(struct api_system *out)
{
    char text[FILE_MAX];
    if (read_text("/proc/meminfo", text, sizeof text)) {
        out->ram_total = number_after(text, "MemTotal:");
        out->ram_free = number_after(text, "MemFree:");
        out->ram_available = number_after(text, "MemAvailable:");
        out->ram_used = out->ram_total - out->ram_available;
        out->swap_total = number_after(text, "SwapTotal:");
        out->swap_free = number_after(text, "SwapFree:");
    }
    if (read_text("/proc/self/status", text, sizeof text)) {
        out->process_ram = number_after(text, "VmRSS:");
    }
}

static void read_load(struct api_system *out)
{
    char text[256];
    unsigned running;
    unsigned processes;
    out->load[0] = out->load[1] = out->load[2] = -1;
    if (read_text("/proc/loadavg", text, sizeof text) &&
        sscanf(text, "%lf %lf %lf %u/%u", &out->load[0], &out->load[1], &out->load[2], &running,
               &processes) == 5) {
        out->processes = processes;
    }
    if (read_text("/proc/uptime", text, sizeof text)) {
        out->uptime_s = strtoll(text, NULL, 10);
    }
}

static uint64_t own_cpu_us(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * USEC_PER_SEC +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

/* Shares since the last look. */
static void read_cpu(struct sysinfo_memory *m, struct api_system *out)
{
    char text[FILE_MAX];
    unsigned long long t[8] = {0};
    usec_t now = sys_now();
    out->cpus = sys_cpus();
    if (now - m->now >= SAMPLE_US && read_text("/proc/stat", text, sizeof text) &&
        sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
               &t[4], &t[5], &t[6], &t[7]) >= 4) {
        uint64_t idle = t[3] + t[4];
        uint64_t all = idle + t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
        uint64_t own = own_cpu_us();
        double ticks = all > m->all ? (double)(all - m->all) : 1;
        double busy = all - idle > m->busy ? (double)(all - idle - m->busy) : 0;
        m->cpu_percent = 100 * busy / ticks;
        m->own_percent = 100 * (double)(own - m->own_us) / (double)(now - m->now);
        m->busy = all - idle;
        m->all = all;
        m->own_us = own;
        m->now = now;
    }
    out->cpu_percent = m->cpu_percent > 100 ? 100 : m->cpu_percent;
    out->process_cpu_percent = m->own_percent;
}

static void read_temperature(struct api_system *out)
{
    char text[64];
    out->temperature_c = -1000;
    if (read_text("/sys/class/thermal/thermal_zone0/temp", text, sizeof text)) {
        out->temperature_c = (double)strtol(text, NULL, 10) / 1000;
    }
}

static void read_names(struct api_system *out)
{
    char text[FILE_MAX];
    struct utsname u;
    if (uname(&u) == 0) {
        copy_line(out->node_name, sizeof out->node_name, u.nodename);
        copy_line(out->os_name, sizeof out->os_name, u.sysname);
        copy_line(out->os_release, sizeof out->os_release, u.release);
        copy_line(out->os_version, sizeof out->os_version, u.version);
        copy_line(out->machine, sizeof out->machine, u.machine);
    }
    if (read_text("/proc/device-tree/model", text, sizeof text) ||
        read_text("/sys/class/dmi/id/product_name", text, sizeof text)) {
        copy_line(out->model, sizeof out->model, text);
    }
}

/* ---- The interface of the default route. ---- */

static void default_interface4(char name[IF_NAMESIZE], char gateway[IP_TEXT_MAX])
{
    char text[FILE_MAX];
    name[0] = gateway[0] = '\0';
    if (!read_text("/proc/net/route", text, sizeof text)) {
        return;
    }
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char dev[IF_NAMESIZE];
        unsigned dest;
        unsigned gate;
        unsigned flags;
        unsigned mask;
        if (sscanf(line + 1, "%15s %x %x %x %*d %*d %*d %x", dev, &dest, &gate, &flags, &mask) ==
                5 &&
            dest == 0 && mask == 0) {
            struct in_addr addr = {.s_addr = gate};
            memcpy(name, dev, sizeof dev);
            inet_ntop(AF_INET, &addr, gateway, IP_TEXT_MAX);
            return;
        }
    }
}

static void default_interface6(char name[IF_NAMESIZE], char gateway[IP_TEXT_MAX])
{
    char text[FILE_MAX];
    name[0] = gateway[0] = '\0';
    if (!read_text("/proc/net/ipv6_route", text, sizeof text)) {
        return;
    }
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        char dest[33];
        char hop[33];
        char dev[IF_NAMESIZE];
        unsigned bits;
        unsigned flags;
        line += *line == '\n';
        if (sscanf(line, "%32s %x %*s %*x %32s %*x %*x %*x %x %15s", dest, &bits, hop, &flags,
                   dev) == 5 &&
            bits == 0 && strcmp(dev, "lo") != 0) {
            struct in6_addr addr;
            for (unsigned i = 0; i < 16; i++) {
                char pair[3] = {hop[2 * i], hop[2 * i + 1], '\0'};
                addr.s6_addr[i] = (uint8_t)strtoul(pair, NULL, 16);
            }
            memcpy(name, dev, sizeof dev);
            inet_ntop(AF_INET6, &addr, gateway, IP_TEXT_MAX);
            return;
        }
    }
}

static uint64_t interface_counter(const char *name, const char *what)
{
    char path[128];
    char text[64];
    struct strbuf out;
    strbuf_init(&out, path, sizeof path);
    strbuf_printf(&out, "/sys/class/net/%s/statistics/%s", name, what);
    return read_text(path, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

/* The first address of a family on an interface, and how many it has. */
static uint32_t interface_addresses(const char *name, int family, char first[IP_TEXT_MAX])
{
    struct ifaddrs *list;
    uint32_t count = 0;
    if (getifaddrs(&list) != 0) {
        return 0;
    }
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != family || strcmp(i->ifa_name, name) != 0) {
            continue;
        }
        const void *addr =
            family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr
                : (const void *)&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)
                      ->sin6_addr;
        if (count++ == 0) {
            inet_ntop(family, addr, first, IP_TEXT_MAX);
        }
    }
    freeifaddrs(list);
    return count;
}

static void read_network(struct api_system *out)
{
    char name[IF_NAMESIZE];
    default_interface4(name, out->v4.gateway);
    memcpy(out->v4.name, name, sizeof out->v4.name);
    out->v4.addresses = interface_addresses(name, AF_INET, out->v4.addr);
    out->v4.rx_octets = interface_counter(name, "rx_bytes");
    out->v4.tx_octets = interface_counter(name, "tx_bytes");
    default_interface6(name, out->v6.gateway);
    memcpy(out->v6.name, name, sizeof out->v6.name);
    out->v6.addresses = interface_addresses(name, AF_INET6, out->v6.addr);
    out->v6.rx_octets = interface_counter(name, "rx_bytes");
    out->v6.tx_octets = interface_counter(name, "tx_bytes");
}

void sysinfo_read(struct sysinfo_memory *memory, usec_t started, struct api_system *out)
{
    out->pid = getpid();
    out->process_uptime_s = (int64_t)((sys_now() - started) / USEC_PER_SEC);
    read_memory(out);
    read_load(out);
    read_cpu(memory, out);
    read_temperature(out);
    read_names(out);
    read_network(out);
}
