/* What lwIP must know of the compiler: nothing beyond its own defaults. */
#include <stdlib.h>
#define LWIP_RAND() ((u32_t)random())
