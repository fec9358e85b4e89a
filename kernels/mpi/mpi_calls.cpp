#include "kernels/mpi/mpi_calls.h"

#include <mpi.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <vector>

namespace eb::kernels {
namespace {

MPI_Comm work, sums, watch;
MPI_Request sum_request = MPI_REQUEST_NULL;
int64_t sum_sent[8], sum_received[8];

int rank_in(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

int size_of(MPI_Comm comm) {
  int size = 0;
  MPI_Comm_size(comm, &size);
  return size;
}

MPI_Comm host_comm() {
  static const MPI_Comm comm = [] {
    MPI_Comm split;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &split);
    return split;
  }();
  return comm;
}

bool start() {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
  if (provided < MPI_THREAD_MULTIPLE) return false;
  for (MPI_Comm* comm : {&work, &sums, &watch}) MPI_Comm_dup(MPI_COMM_WORLD, comm);
  host_comm();  // every rank takes part, so here
  return true;
}

void finish() {
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
}

const char* version() {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  return text;
}

// Counts are ints.
template <class F>
void in_pieces(int64_t bytes, const F& call) {
  constexpr int64_t most = int64_t{1} << 30;
  for (int64_t at = 0; at < bytes; at += most) call(at, static_cast<int>(std::min(most, bytes - at)));
}

void broadcast(void* data, int64_t bytes, int from) {
  in_pieces(bytes,
            [&](int64_t at, int n) { MPI_Bcast(static_cast<char*>(data) + at, n, MPI_BYTE, from, work); });
}

void gather_bytes(const void* mine, void* all, const int64_t* sizes) {
  const int rank = rank_in(work), size = size_of(work);
  auto* at = static_cast<char*>(all);
  for (int from = 0; from < size; at += sizes[from++]) {
    if (from == rank) std::memcpy(at, mine, static_cast<size_t>(sizes[from]));
    broadcast(at, sizes[from], from);
  }
}

void exchange(const float* send, float* receive, int64_t floats) {
  MPI_Alltoall(send, static_cast<int>(floats), MPI_FLOAT, receive, static_cast<int>(floats), MPI_FLOAT, work);
}

void gather(float* all, int64_t floats) {
  MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, static_cast<int>(floats), MPI_FLOAT, work);
}

void all_reduce(float* data, int64_t floats) {
  MPI_Allreduce(MPI_IN_PLACE, data, static_cast<int>(floats), MPI_FLOAT, MPI_SUM, work);
}

void begin_sum(const int64_t* mine, int n) {
  std::copy_n(mine, n, sum_sent);
  MPI_Iallreduce(sum_sent, sum_received, n, MPI_INT64_T, MPI_SUM, sums, &sum_request);
}

void end_sum(int64_t* sum) {
  MPI_Wait(&sum_request, MPI_STATUS_IGNORE);
  std::copy_n(sum_received, std::size(sum_received), sum);
}

// A message stays until its request is done; to a rank that reads nothing some may be under way.
void send(int to, const void* message, int bytes) {
  struct Sent {
    std::vector<char> bytes;
    MPI_Request request;
  };
  static std::list<Sent> under_way;
  under_way.remove_if([](Sent& s) {
    int done = 0;
    MPI_Test(&s.request, &done, MPI_STATUS_IGNORE);
    return done != 0;
  });
  const auto* first = static_cast<const char*>(message);
  under_way.push_back({{first, first + bytes}, MPI_REQUEST_NULL});
  Sent& s = under_way.back();
  MPI_Isend(s.bytes.data(), bytes, MPI_BYTE, to, 0, watch, &s.request);
}

bool receive(void* message, int bytes, int* from) {
  int there = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, 0, watch, &there, &status);
  if (!there) return false;
  MPI_Recv(message, bytes, MPI_BYTE, status.MPI_SOURCE, 0, watch, MPI_STATUS_IGNORE);
  *from = status.MPI_SOURCE;
  return true;
}

constexpr MpiCalls calls = {
    .start = start,
    .finish = finish,
    .version = version,
    .rank = [] { return rank_in(MPI_COMM_WORLD); },
    .size = [] { return size_of(MPI_COMM_WORLD); },
    .local_rank = [] { return rank_in(host_comm()); },
    .local_size = [] { return size_of(host_comm()); },
    .barrier = [] { MPI_Barrier(work); },
    .broadcast = broadcast,
    .gather_bytes = gather_bytes,
    .exchange = exchange,
    .gather = gather,
    .all_reduce = all_reduce,
    .begin_sum = begin_sum,
    .end_sum = end_sum,
    .send = send,
    .receive = receive,
};

}  // namespace
}  // namespace eb::kernels

extern "C" const eb::kernels::MpiCalls* eb_mpi_calls() {
  return &eb::kernels::calls;
}
