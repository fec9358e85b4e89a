// Serialized events, ready to be framed by record(). Only event.cpp knows the generated protobuf code.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace eb::tools::tensorboard {

struct At {
  int64_t step = 0;
  double wall_time = 0;  // seconds since 1970
};
At now(int64_t step);

using Scalars = std::vector<std::pair<std::string, double>>;  // tag and value

std::string file_version_event();            // the first of every file
std::string restart_event(const At& first);  // TensorBoard forgets what it has seen from this step on
std::string scalar_event(const At& at, const Scalars& scalars);
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> png;  // RGB
};
std::string image_event(const At& at, const std::string& tag, const Image& image);

// Values of one layer; 30 buckets of equal width. Values that are not finite are left out.
using Distribution = std::pair<std::string, std::vector<float>>;
std::string histogram_event(const At& at, const std::vector<Distribution>& distributions);

}  // namespace eb::tools::tensorboard
