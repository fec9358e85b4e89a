#include "engine/tensor/tensor.h"

#include <stdexcept>

#include "engine/tensor/allocator.h"

namespace eb::engine {

int64_t element_count(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

std::string to_string(const Shape& shape) {
  std::string s = "(";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + ")";
}

Tensor Tensor::empty(Shape shape, DType dtype, Device device) {
  Tensor t;
  t.owner_ = allocate(static_cast<size_t>(element_count(shape)) * kernels::size_of(dtype), device);
  t.data_ = t.owner_.get();
  t.shape_ = std::move(shape);
  t.dtype_ = dtype;
  t.device_ = device;
  return t;
}

Tensor Tensor::zeros(Shape shape, DType dtype, Device device) {
  Tensor t = empty(std::move(shape), dtype, device);
  kernels::memory(device).zero(t.raw(), t.bytes());
  return t;
}

Tensor Tensor::view(void* data, Shape shape, DType dtype, Device device, std::shared_ptr<void> owner) {
  Tensor t;
  t.data_ = data;
  t.shape_ = std::move(shape);
  t.dtype_ = dtype;
  t.device_ = device;
  t.owner_ = std::move(owner);
  return t;
}

Tensor Tensor::to(Device device) const {
  if (device == device_ || !defined()) return *this;
  Tensor t = empty(shape_, dtype_, device);
  t.copy_from(*this);
  return t;
}

void Tensor::copy_from(const Tensor& t) const {
  if (t.bytes() != bytes() || t.dtype() != dtype_)
    throw std::logic_error("[copy_from] got " + to_string(t.shape_) + ", want " + to_string(shape_));
  if (t.raw() == data_) return;
  if (t.device_ == device_)
    kernels::memory(device_).copy(data_, t.raw(), bytes());
  else if (device_ == Device::cpu)
    kernels::memory(t.device_).to_host(data_, t.raw(), bytes());
  else
    kernels::memory(device_).to_device(data_, t.raw(), bytes());
}

Tensor list_tensor(const std::vector<int32_t>& list, Device device) {
  Tensor t = Tensor::empty({static_cast<int64_t>(list.size())}, DType::i32, device);
  kernels::memory(device).to_device(t.raw(), list.data(), t.bytes());
  return t;
}

Tensor workspace(size_t bytes, Device device) {
  return bytes ? Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, device) : Tensor();
}

Tensor Tensor::reshape(Shape shape) const {
  if (element_count(shape) != size())
    throw std::logic_error("[reshape] got " + to_string(shape_) + ", want as many elements as " +
                           to_string(shape));
  Tensor t = *this;
  t.shape_ = std::move(shape);
  return t;
}

Tensor Tensor::detach() const {
  Tensor t = *this;
  t.node_.reset();
  return t;
}

Tensor Tensor::rows(int64_t first, int64_t n) const {
  Tensor t = detach();
  const size_t row = bytes() / static_cast<size_t>(shape_[0]);
  t.shape_[0] = n;
  t.data_ = static_cast<uint8_t*>(data_) + static_cast<size_t>(first) * row;
  return t;
}

}  // namespace eb::engine
