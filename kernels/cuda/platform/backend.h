// The namespace a kernel source is compiled into.
#pragma once

#ifdef EB_EMULATED
#define EB_BACKEND emulated
#else
#define EB_BACKEND cuda
#endif
