/*
 * The public suffix list (publicsuffix.org, Debian's package publicsuffix) as the program wants it:
 * a suffix a line in ASCII, those of the private section with a '+' before; '*' and '!' as they
 * stand.
 *
 * usage: suffixes FILE >OUT
 */
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put(const char *rule, int private)
{
    const char *mark = rule[0] == '!' ? "!" : strncmp(rule, "*.", 2) == 0 ? "*." : "";
    char *ascii = NULL;
    if (idn2_to_ascii_8z(rule + strlen(mark), &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK) {
        fprintf(stderr, "suffixes: cannot convert %s\n", rule);
        return 0;
    }
    printf("%s%s%s\n", private ? "+" : "", mark, ascii);
    idn2_free(ascii);
    return 1;
}

int main(int argc, char **argv)
{
    char line[1024];
    int private = 0;
    unsigned count = 0;
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (f == NULL) {
        fprintf(stderr, "suffixes: cannot read %s; the package publicsuffix has it\n",
                argc == 2 ? argv[1] : "a file without a name");
        return 1;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        private |= strstr(line, "===BEGIN PRIVATE DOMAINS===") != NULL;
        line[strcspn(line, " \t\r\n")] = '\0';
        if (line[0] == '\0' || strncmp(line, "//", 2) == 0) {
            continue;
        }
        if (!put(line, private)) {
            return 1;
        }
        count++;
    }
    if (count < 5000) {
        fprintf(stderr, "suffixes: only %u suffixes in %s\n", count, argv[1]);
        return 1;
    }
    return ferror(f) || fclose(f) != 0 || fflush(stdout) != 0;
}
