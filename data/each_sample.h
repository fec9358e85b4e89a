// A function of every number below n on all cores.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace eb::data {

using Message = std::function<void(const std::string& text)>;  // progress, from the calling thread

// f(i) for i in [0, n), in any order, from several threads; f must not throw. Says "`what` 12 of 100 images"
// every two seconds.
void each_sample(int64_t n, const std::function<void(int64_t)>& f, const std::string& what,
                 const Message& message);

int available_cores();

}  // namespace eb::data
