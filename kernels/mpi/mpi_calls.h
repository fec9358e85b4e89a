// What is asked of MPI, as one table of functions in a module of its own (libeb_mpi.so): only a process that
// is one of several ranks loads it, so no other needs an MPI library. Failures end the process (MPI's own
// handler).
#pragma once
#include <cstddef>
#include <cstdint>

namespace eb::kernels {

struct MpiCalls {
  // Enters MPI, for several threads. False if the library cannot serve those.
  bool (*start)();
  void (*finish)();          // every rank; returns when all have called it
  const char* (*version)();  // of the library
  int (*rank)();
  int (*size)();
  int (*local_rank)();  // on this host
  int (*local_size)();

  // Collective calls: every rank makes the same ones in the same order.
  void (*barrier)();
  void (*broadcast)(void* data, int64_t bytes, int from);
  // mine (sizes[rank] bytes) of every rank -> all, one after the other.
  void (*gather_bytes)(const void* mine, void* all, const int64_t* sizes);
  // Slice k of send (size, floats) goes to rank k, slice k of receive comes from it.
  void (*exchange)(const float* send, float* receive, int64_t floats);
  void (*gather)(float* all, int64_t floats);  // in place: own slice stands at rank * floats
  // For comparison alone: MPI's own sum, whose bits depend on the number of ranks.
  void (*all_reduce)(float* data, int64_t floats);

  // Sums of a few numbers, on a communicator of their own: begun and completed by any thread, one at a time.
  void (*begin_sum)(const int64_t* mine, int n);
  void (*end_sum)(int64_t* sum);

  // Short messages between the watchdogs, on a communicator of their own; send does not wait.
  void (*send)(int to, const void* message, int bytes);
  bool (*receive)(void* message, int bytes, int* from);  // false: there is none
};

}  // namespace eb::kernels

extern "C" const eb::kernels::MpiCalls* eb_mpi_calls();
