// y = relu(gamma * (x[select] - mean) * rstd + beta + residual); relu, residual and select are each optional.
// Saves mean and rstd; backward also reads x, and y for relu's mask only if there was a residual. Statistics
// are fp32 and biased for normalisation; the running variance is unbiased (PyTorch's rule). Reductions have a
// fixed order.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct BatchNorm {
  struct Params {
    DType dtype = DType::f32;  // of x, y, residual and their gradients; the rest is f32
    int64_t rows;              // N * H * W
    int64_t c_in;              // channels of x, gamma, beta, running_mean, running_var, dgamma, dbeta
    int64_t c;                 // channels of y, residual, mean, rstd: c_in, or the length of select
    float eps = 1e-5f, momentum = 0.1f;
    bool relu = false;
    int64_t sample_rows = 0;  // H * W, read only where the largest of each sample is wanted
  };
  enum class Direction : uint8_t { forward_train, forward_infer, backward };
  // Statistics of x that the convolution before computed along the way: mean and sum of squared deviations of
  // every channel over runs of rows, (ceil(rows / rows_per_slice), 2, c_in). Null: the kernel reads x itself.
  struct Moments {
    const float* values = nullptr;
    int64_t rows_per_slice = 0;
  };
  struct ForwardTrain {
    const void* x;                      // (rows, c_in)
    const int32_t* select = nullptr;    // (c) ascending channels of x that y keeps; null: all
    const float *gamma, *beta;          // (c_in)
    const void* residual = nullptr;     // (rows, c)
    void* y;                            // (rows, c)
    float *mean, *rstd;                 // (c)
    float *running_mean, *running_var;  // (c_in), only selected entries are updated
    Moments moments = {};               // where the device's convolution has them (Conv2d::moment_rows)
    // (rows / sample_rows) or null: overwritten with the bits of the largest |y| of each sample as it is
    // stored, more than infinity's where there is a NaN, for Quantize::quantize.
    uint32_t* largest = nullptr;
    void* workspace = nullptr;  // (workspace_bytes)
  };
  struct ForwardInfer {
    const void* x;                            // (rows, c_in)
    const int32_t* select = nullptr;          // (c)
    const float *gamma, *beta;                // (c_in)
    const float *running_mean, *running_var;  // (c_in)
    const void* residual = nullptr;           // (rows, c)
    void* y;                                  // (rows, c)
    uint32_t* largest = nullptr;              // (rows / sample_rows)
    void* workspace = nullptr;                // (workspace_bytes)
  };
  struct Backward {
    const void* x;                    // (rows, c_in)
    const int32_t* select = nullptr;  // (c)
    const float *gamma, *beta;        // (c_in)
    const float *mean, *rstd;         // (c)
    // (rows, c). With relu and y null the mask is recomputed from x, gamma and beta, which saves two of seven
    // passes over memory and is right without residual.
    const void* y = nullptr;
    const void* dy;             // (rows, c)
    void* dx;                   // (rows, c_in), zero at unselected channels; may be dy if c == c_in
    void* dresidual = nullptr;  // (rows, c)
    float *dgamma, *dbeta;      // (c_in), zero at unselected channels
    void* workspace = nullptr;  // (workspace_bytes)
  };
  // Bytes of temporary memory for any call of these Params.
  size_t (*workspace_bytes)(const Params&, Direction);
  void (*forward_train)(const Params&, const ForwardTrain&);
  void (*forward_infer)(const Params&, const ForwardInfer&);
  void (*backward)(const Params&, const Backward&);
};

namespace cpu {
extern const BatchNorm batch_norm;
}
namespace cuda {
extern const BatchNorm batch_norm;
}
inline const BatchNorm& batch_norm(Device d) {
  return pick<cpu::batch_norm, cuda::batch_norm>(d);
}

}  // namespace eb::kernels
