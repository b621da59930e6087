/* Lets one name lead where a file says, as whoever rules over a name's zone can. Preloaded into the gateway by the tests
 * of names.rs.
 *
 * The file named by NAMES holds the address that crm.test has now. Each look-up adds a line to the file beside it, whose
 * name ends in ".asked". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *names = getenv("NAMES");
    if (!node || !names || strcmp(node, "crm.test") != 0) return real(node, service, hints, found);
    char address[64] = "", path[512];
    FILE *file = fopen(names, "r");
    if (!file || !fgets(address, sizeof address, file)) return EAI_AGAIN;
    fclose(file);
    snprintf(path, sizeof path, "%s.asked", names);
    FILE *asked = fopen(path, "a");
    if (asked) {
        fprintf(asked, "%s\n", address);
        fclose(asked);
    }
    return real(address, service, hints, found);
}
