// The one tensor type: storage, shape, dtype, device and its place in the tape (engine/tensor/autograd.h).
// Tensors are contiguous; activations are (N, H, W, C), conv weights (K, R, S, C). Copies share storage.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/dtype.h"
#include "kernels/memory.h"

namespace eb::engine {

using kernels::bf16;
using kernels::Device;
using kernels::DType;
using Shape = std::vector<int64_t>;

int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);  // "(2, 32, 32, 3)"

struct TapeNode;
struct Blocks;
class Tensor;
Tensor list_tensor(const std::vector<int32_t>& list, Device device);  // (n) i32
// (bytes) u8, undefined for none: the temporary memory of one kernel call, as its contract asks for.
Tensor workspace(size_t bytes, Device device);

class Tensor {
 public:
  Tensor() = default;
  // From the caching allocator; contents undefined.
  static Tensor empty(Shape shape, DType dtype = DType::f32, Device device = Device::cpu);
  static Tensor zeros(Shape shape, DType dtype = DType::f32, Device device = Device::cpu);
  // Over memory someone else owns (an arena); `owner` keeps it alive.
  static Tensor view(void* data, Shape shape, DType dtype, Device device,
                     std::shared_ptr<void> owner = nullptr);

  bool defined() const { return data_ != nullptr || !shape_.empty(); }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t size() const { return element_count(shape_); }
  size_t bytes() const { return static_cast<size_t>(size()) * kernels::size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  void* raw() const { return data_; }
  template <class T>
  T* data() const {
    return static_cast<T*>(data_);
  }
  // No other tensor shares the storage: an op may write its result into it.
  bool unique() const { return owner_.use_count() == 1; }

  Tensor to(Device device) const;  // itself if it is there already, else a copy without tape
  // Overwrites this tensor with one of the same size and dtype on any device; waits for what writes it.
  void copy_from(const Tensor& t) const;
  template <class T>
  T item() const;  // the first element, wherever it lies

  Tensor reshape(Shape shape) const;            // same storage and tape node; sizes must agree
  Tensor detach() const;                        // same storage, no tape
  Tensor rows(int64_t first, int64_t n) const;  // of dimension 0: same storage, no tape

  // Of a tensor in block floating point, whose elements are codes (dtype i8); null for any other.
  const Blocks* blocks() const { return blocks_.get(); }
  void set_blocks(std::shared_ptr<const Blocks> blocks) { blocks_ = std::move(blocks); }

  const std::shared_ptr<TapeNode>& node() const { return node_; }
  void set_node(std::shared_ptr<TapeNode> node) { node_ = std::move(node); }

 private:
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::f32;
  Device device_ = Device::cpu;
  std::shared_ptr<void> owner_;
  std::shared_ptr<const Blocks> blocks_;
  std::shared_ptr<TapeNode> node_;
};

// Exponents of a tensor in block floating point (kernels/block_float.h).
struct Blocks {
  Tensor exponents;  // i16, one for every `block` elements
  int64_t block;
  int bits;
  DType dense;  // what its numbers are computed with
};

template <class T>
T Tensor::item() const {
  if (device_ == Device::cpu) return data<T>()[0];
  T value;
  kernels::memory(device_).to_host(&value, data_, sizeof value);
  return value;
}

}  // namespace eb::engine
