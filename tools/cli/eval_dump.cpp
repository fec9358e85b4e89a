#include "tools/cli/eval_dump.h"

#include <algorithm>
#include <cstring>

#include "engine/base/file.h"
#include "engine/checkpoint/safetensors.h"

namespace eb::tools {

using namespace engine;

std::function<void(const Tensor&, const Batch&)> EvalDump::keeper() {
  if (!keep_logits_) return {};
  return [this](const Tensor& logits, const Batch& batch) { keep(logits, batch); };
}

void EvalDump::keep(const Tensor& logits, const Batch& batch) {
  classes_ = logits.dim(1);
  logits_.insert(logits_.end(), logits.data<float>(), logits.data<float>() + logits.size());
  if (!keep_images_) return;
  const Tensor labels = batch.labels.to(Device::cpu);
  labels_.insert(labels_.end(), labels.data<int32_t>(), labels.data<int32_t>() + labels.size());
  keep_images(batch.images.to(Device::cpu));
}

void EvalDump::keep_images(const Tensor& x) {
  height_ = x.dim(1), width_ = x.dim(2), channels_ = x.dim(3);
  const int64_t plane = height_ * width_;
  const bool narrow = x.dtype() == DType::bf16;
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (int64_t c = 0; c < channels_; ++c)
      for (int64_t i = 0; i < plane; ++i) {
        const int64_t at = (n * plane + i) * channels_ + c;
        images_.push_back(narrow ? static_cast<float>(x.data<bf16>()[at]) : x.data<float>()[at]);
      }
}

template <class T>
static Tensor tensor_of(const std::vector<T>& values, Shape shape, DType dtype) {
  const Tensor t = Tensor::empty(std::move(shape), dtype);
  std::memcpy(t.raw(), values.data(), values.size() * sizeof(T));
  return t;
}

void EvalDump::write_logits(const std::filesystem::path& path) const {
  const int64_t rows = static_cast<int64_t>(logits_.size()) / std::max<int64_t>(1, classes_);
  replace_file(path, to_safetensors({{{"logits", tensor_of(logits_, {rows, classes_}, DType::f32)}}, {}}));
}

void EvalDump::write(const std::filesystem::path& path) const {
  const auto rows = static_cast<int64_t>(labels_.size());
  SafetensorsFile file;
  file.tensors["logits"] = tensor_of(logits_, {rows, classes_}, DType::f32);
  file.tensors["labels"] = tensor_of(labels_, {rows}, DType::i32);
  file.tensors["images"] = tensor_of(images_, {rows, channels_, height_, width_}, DType::f32);
  replace_file(path, to_safetensors(file));
}

}  // namespace eb::tools
