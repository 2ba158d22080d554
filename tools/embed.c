/*
 * Writes a file's octets as numbers with commas, to be included between the braces of a C array.
 *
 * usage: embed FILE >OUT
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    unsigned long count = 0;

    if (f == NULL) {
        fprintf(stderr, "embed: cannot read %s\n", argc == 2 ? argv[1] : "a file without a name");
        return 1;
    }
    for (int c = getc(f); c != EOF; c = getc(f)) {
        printf("%d,%s", c, ++count % 24 == 0 ? "\n" : "");
    }
    printf("\n");
    return ferror(f) || count == 0 || fclose(f) != 0 || fflush(stdout) != 0;
}
