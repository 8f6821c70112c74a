/* What the binary of Jazzer.js asks of a C library from 2023 on, for systems with an older one. */
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
/* Node has set up the streams of C++ already. */
void _ZSt21ios_base_library_initv(void) {}
