// The switchboard between the file layer and its tests: counts calls, and fails, cuts or kills the n-th.
#pragma once
#include <string>

namespace eb::engine::fault {

enum class Call : int { create, write, fsync, rename, remove };

constexpr int short_write = -1;

// Counts a call. 0: go ahead; short_write: write only half; else the errno to fail with. May not return.
int inject(Call call);

// True once, for EB_FAULT=ACTION@PLACE:RANK in that rank at that place: "hang@exchange:1" stops rank 1 before
// it exchanges for the first time, "flip@momentum:1" changes a bit of its momentum.
bool of_rank(const std::string& action, const std::string& place, int rank);

}  // namespace eb::engine::fault
