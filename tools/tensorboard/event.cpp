#include "tools/tensorboard/event.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "tools/tensorboard/event.pb.h"

namespace eb::tools::tensorboard {

namespace proto = eb::tensorboard;

At now(int64_t step) {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return {step, std::chrono::duration<double>(time).count()};
}

static proto::Event event(const At& at) {
  proto::Event e;
  e.set_wall_time(at.wall_time);
  e.set_step(at.step);
  return e;
}

std::string file_version_event() {
  proto::Event e = event(now(0));
  e.set_file_version("brain.Event:2");
  return e.SerializeAsString();
}

std::string restart_event(const At& first) {
  proto::Event e = event(first);
  e.mutable_session_log()->set_status(proto::SessionLog::START);
  return e.SerializeAsString();
}

std::string scalar_event(const At& at, const Scalars& scalars) {
  proto::Event e = event(at);
  for (const auto& [tag, value] : scalars) {
    proto::Summary::Value& v = *e.mutable_summary()->add_value();
    v.set_tag(tag);
    v.set_simple_value(static_cast<float>(value));
  }
  return e.SerializeAsString();
}

std::string image_event(const At& at, const std::string& tag, const Image& image) {
  proto::Event e = event(at);
  proto::Summary::Value& v = *e.mutable_summary()->add_value();
  v.set_tag(tag);
  v.mutable_image()->set_width(image.width);
  v.mutable_image()->set_height(image.height);
  v.mutable_image()->set_colorspace(3);
  v.mutable_image()->set_encoded_image_string(image.png.data(), image.png.size());
  return e.SerializeAsString();
}

static void add_moments(proto::HistogramProto& h, const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const double v : values) sum += v, squares += v * v;
  h.set_num(static_cast<double>(values.size()));
  h.set_sum(sum);
  h.set_sum_squares(squares);
}

static void fill(proto::HistogramProto& h, std::vector<float> values) {
  constexpr int buckets = 30;
  std::erase_if(values, [](float v) { return !std::isfinite(v); });
  if (values.empty()) return;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double min = *low, width = (double{*high} - min) / buckets;
  h.set_min(min);
  h.set_max(*high);
  add_moments(h, values);
  if (width == 0) {  // all the same
    h.add_bucket_limit(min);
    h.add_bucket(static_cast<double>(values.size()));
    return;
  }
  std::vector<double> counts(buckets);
  for (const float v : values)
    ++counts[std::min<size_t>(static_cast<size_t>((v - min) / width), buckets - 1)];
  for (int i = 0; i < buckets; ++i) {
    h.add_bucket_limit(i + 1 == buckets ? double{*high} : min + width * (i + 1));
    h.add_bucket(counts[static_cast<size_t>(i)]);
  }
}

std::string histogram_event(const At& at, const std::vector<Distribution>& distributions) {
  proto::Event e = event(at);
  for (const auto& [tag, values] : distributions) {
    proto::Summary::Value& v = *e.mutable_summary()->add_value();
    v.set_tag(tag);
    fill(*v.mutable_histo(), values);
  }
  return e.SerializeAsString();
}

}  // namespace eb::tools::tensorboard
