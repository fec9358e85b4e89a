#include "data/resize.h"

#include <algorithm>
#include <cmath>

#include "kernels/philox.h"

namespace eb::data {
namespace {

constexpr int precision = 32 - 8 - 2;  // fraction bits of a weight: PIL's PRECISION_BITS

// Part of an axis that is scaled to `full` positions: of these the `n` from `begin`. What is not asked for is
// not computed: a picture of one column would be millions of rows.
struct Part {
  int64_t full, begin;
  int n;
};

// For each output position of the part: the first input position, and `taps` weights of which `count` are
// used.
struct Weights {
  int taps = 0;
  std::vector<int> first = {}, count = {}, weight = {};
};

Weights triangle_weights(int size_in, const Part& part) {
  const double scale = static_cast<double>(size_in) / static_cast<double>(part.full),
               reach = std::max(scale, 1.0);
  Weights w{.taps = static_cast<int>(std::ceil(reach)) * 2 + 1};
  w.first.resize(part.n);
  w.count.resize(part.n);
  w.weight.resize(size_t(part.n) * w.taps);
  std::vector<double> row(w.taps);
  for (int i = 0; i < part.n; ++i) {
    const double center = (static_cast<double>(part.begin + i) + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - reach + 0.5));
    const int count = std::min(size_in, static_cast<int>(center + reach + 0.5)) - first;
    double sum = 0;
    for (int t = 0; t < count; ++t)
      sum += row[t] = std::max(0.0, 1.0 - std::abs((t + first - center + 0.5) * (1.0 / reach)));
    for (int t = 0; t < count; ++t)
      w.weight[size_t(i) * w.taps + t] = static_cast<int>(0.5 + row[t] / sum * (1 << precision));
    w.first[i] = first;
    w.count[i] = count;
  }
  return w;
}

uint8_t rounded(int sum) {
  return static_cast<uint8_t>(std::clamp(sum >> precision, 0, 255));
}

constexpr int half = 1 << (precision - 1);

void resize_row(const uint8_t* x, const Weights& w, int width, uint8_t* y) {
  for (int i = 0; i < width; ++i, y += 3) {
    const int* weight = &w.weight[size_t(i) * w.taps];
    const uint8_t* p = x + 3 * w.first[i];
    int r = half, g = half, b = half;
    for (int t = 0; t < w.count[i]; ++t, p += 3) {
      r += p[0] * weight[t];
      g += p[1] * weight[t];
      b += p[2] * weight[t];
    }
    y[0] = rounded(r);
    y[1] = rounded(g);
    y[2] = rounded(b);
  }
}

// sums is scratch of row_bytes.
void resize_column(const uint8_t* rows, size_t row_bytes, const int* weight, int count,
                   std::vector<int>& sums, uint8_t* y) {
  std::fill(sums.begin(), sums.end(), half);
  for (int t = 0; t < count; ++t, rows += row_bytes)
    for (size_t k = 0; k < row_bytes; ++k) sums[k] += rows[k] * weight[t];
  for (size_t k = 0; k < row_bytes; ++k) y[k] = rounded(sums[k]);
}

void resize_part(const Image& image, const Box& box, const Part& x, const Part& y, uint8_t* out) {
  const Weights across = triangle_weights(box.width, x), down = triangle_weights(box.height, y);
  const size_t row_bytes = size_t{3} * x.n;
  const int top = down.first.front(), rows = down.first.back() + down.count.back() - top;
  std::vector<uint8_t> narrow(row_bytes * rows);
  for (int r = 0; r < rows; ++r) {
    const uint8_t* row = &image.rgb[(size_t(box.top + top + r) * image.width + box.left) * 3];
    if (box.width == x.full)
      std::copy_n(row + 3 * x.begin, row_bytes, &narrow[r * row_bytes]);
    else
      resize_row(row, across, x.n, &narrow[r * row_bytes]);
  }
  if (box.height == y.full) {
    std::copy_n(narrow.begin(), row_bytes * y.n, out);
    return;
  }
  std::vector<int> sums(row_bytes);
  for (int i = 0; i < y.n; ++i)
    resize_column(&narrow[(down.first[i] - top) * row_bytes], row_bytes, &down.weight[size_t(i) * down.taps],
                  down.count[i], sums, out + i * row_bytes);
}

}  // namespace

void resize(const Image& image, const Box& box, int width, int height, uint8_t* out) {
  resize_part(image, box, {width, 0, width}, {height, 0, height}, out);
}

Image resize_and_center_crop(const Image& image, int short_side, int size) {
  const int shorter = std::min(image.width, image.height);
  // Python's round(): halves go to the even number, as nearbyint does by default.
  const auto centre_of = [&](int side) {
    const int64_t full = int64_t{short_side} * side / shorter;
    return Part{full, static_cast<int64_t>(std::nearbyint(static_cast<double>(full - size) / 2.0)), size};
  };
  Image out(size, size);
  resize_part(image, {0, 0, image.width, image.height}, centre_of(image.width), centre_of(image.height),
              out.rgb.data());
  return out;
}

Box random_resized_crop(int width, int height, uint64_t seed, int64_t epoch, int64_t sample_id) {
  constexpr int tries = 10;
  const double least = 3.0 / 4, most = 4.0 / 3, area = double(width) * height;
  for (int t = 0; t < tries; ++t) {
    const auto words = kernels::philox(seed, kernels::Stream::resized_crop, static_cast<uint32_t>(epoch),
                                       static_cast<uint64_t>(sample_id) * tries + t);
    const double target = area * (0.08 + 0.92 * kernels::uniform(words[0]));
    const double log_ratio =
        std::log(least) + (std::log(most) - std::log(least)) * kernels::uniform(words[1]);
    const double ratio = std::exp(log_ratio);
    const int w = static_cast<int>(std::nearbyint(std::sqrt(target * ratio)));
    const int h = static_cast<int>(std::nearbyint(std::sqrt(target / ratio)));
    if (w <= 0 || w > width || h <= 0 || h > height) continue;
    return {static_cast<int>(kernels::below(words[3], width - w + 1)),
            static_cast<int>(kernels::below(words[2], height - h + 1)), w, h};
  }
  const double ratio = double(width) / height;
  const int w = ratio > most ? std::max(1, static_cast<int>(std::nearbyint(height * most))) : width;
  const int h = ratio < least ? std::max(1, static_cast<int>(std::nearbyint(width / least))) : height;
  return {(width - w) / 2, (height - h) / 2, w, h};
}

}  // namespace eb::data
