// The two queues of the device: what launches and device copies do, and copies from the host beside them
// (kernels/side_copies.h). While no such copy is under way, work is done as it is queued. From the first one
// on both queues wait until the host does, or until the ring of host buffers is full; then they go on as the
// schedule says: copies as early as the kernels let them, as late as the kernels need them, or at random. So
// a copy that is not waited for, or that does not wait, gives wrong numbers, as it may on a card.
#pragma once
#include <cstddef>
#include <functional>

namespace eb::kernels::emulated {

void queue_work(std::function<void()> work);  // now, or when its turn comes
void queue_side_copy(std::function<void()> copy);
void work_waits_for_copies();  // what is queued from now on, for all copies so far
void copies_wait_for_work();   // and the other way round

// The write of `bytes` from host memory that may be gone when it is made.
std::function<void()> copy_of_host(void* device, const void* host, size_t bytes);

// Both to their end; throws what they throw. What is left in them then is dropped.
void finish_queues();
// For destructors: what is thrown comes out of the next finish_queues().
void finish_queues_quietly() noexcept;

}  // namespace eb::kernels::emulated
