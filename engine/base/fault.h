// The switchboard between the file layer and its tests: counts calls, and fails, cuts or kills the n-th.
#pragma once
#include <string>

namespace eb::engine::fault {

enum class Call : int { create, write, fsync, rename, remove };

constexpr int short_write = -1;

// Counts a call. 0: go ahead; short_write: write only half; else the errno to fail with. May not return.
int inject(Call call);

}  // namespace eb::engine::fault
