#include "kernels/cpu/onednn.h"

#include <omp.h>

namespace eb::kernels::cpu {

using dnnl::memory;

static bool has_bf16_convolution() {
  const memory::desc x({1, 16, 4, 4}, memory::data_type::bf16, memory::format_tag::nhwc);
  const memory::desc w({16, 16, 3, 3}, memory::data_type::bf16, memory::format_tag::any);
  try {
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_training,
                                               dnnl::algorithm::convolution_direct, x, w, x, {1, 1}, {1, 1},
                                               {1, 1});
    dnnl::convolution_forward::primitive_desc(desc, engine());
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

bool native_bf16() {
  static const bool has = has_bf16_convolution();
  return has;
}

bool wide_vectors() {
  static const bool wide = __builtin_cpu_supports("avx512f");
  return wide;
}

const dnnl::engine& engine() {
  static const dnnl::engine instance = [] {
    dnnl::set_primitive_cache_capacity(0);  // plans are cached here, with a bound that is ours
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return instance;
}

dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

memory::data_type onednn_type(DType t) {
  return t == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

// In library mode oneDNN ties its scratchpad to the thread that created the primitive.
dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

SingleThread::SingleThread() : threads_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}
SingleThread::~SingleThread() {
  omp_set_num_threads(threads_);
}

}  // namespace eb::kernels::cpu
