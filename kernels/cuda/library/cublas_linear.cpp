// cuBLAS sees matrices by columns, so a row-major (rows, columns) array is its transpose: every product below
// is written transposed. Workspace and math mode are fixed, which makes a product the same bits every time.
#include "kernels/cuda/library/cublas_linear.h"

#include <cublas_v2.h>

#include <string>

#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/platform/runtime.h"
#include "kernels/elementwise.h"

namespace eb::kernels::cuda {

namespace {

constexpr size_t own_bytes = size_t{32} << 20;  // what NVIDIA recommends for Hopper; older cards: 4 MiB

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error("[" + std::string(what) + "] cuBLAS: " + cublasGetStatusString(status));
}

class Handle {
 public:
  Handle() {
    check(cublasCreate(&handle_), "cublasCreate");
    check(cublasSetMathMode(handle_, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION), "cublasSetMathMode");
    cuda::check(cudaMalloc(&workspace_, own_bytes), "cuBLAS workspace");
  }
  ~Handle() {
    cublasDestroy(handle_);
    cudaFree(workspace_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  // Setting a stream takes the workspace away, so both are set each time.
  cublasHandle_t on(cudaStream_t stream) {
    check(cublasSetStream(handle_, stream), "cublasSetStream");
    check(cublasSetWorkspace(handle_, workspace_, own_bytes), "cublasSetWorkspace");
    return handle_;
  }

 private:
  cublasHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
};

cublasHandle_t handle() {
  thread_local Handle h;
  return h.on(stream());
}

cudaDataType type_of(DType dtype) {
  return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

cublasComputeType_t compute_of(const Linear::Params& p) {
  if (p.dtype == DType::bf16) return CUBLAS_COMPUTE_32F;
  return p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC;
}

// One operand as it lies in memory: `stride` elements between its rows; transposed for cuBLAS or not.
struct Operand {
  const void* data;
  int64_t stride;
  cublasOperation_t operation = CUBLAS_OP_N;
};

// c (columns, rows) row-major <- a b, with op(a) (rows, depth) and op(b) (depth, columns) by columns.
void product(const Linear::Params& p, int64_t rows, int64_t columns, int64_t depth, const Operand& a,
             const Operand& b, float beta, DType result, void* c, const char* name) {
  const float alpha = 1.f;
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  check(cublasGemmEx(handle(), a.operation, b.operation, i(rows), i(columns), i(depth), &alpha, a.data,
                     type_of(p.dtype), i(a.stride), b.data, type_of(p.dtype), i(b.stride), &beta, c,
                     type_of(result), i(rows), compute_of(p), CUBLAS_GEMM_DEFAULT),
        name);
}

size_t workspace_bytes(const Linear::Params& p, Linear::Direction d) {
  if (d == Linear::Direction::forward) return static_cast<size_t>(p.n + p.out) * size_of(p.dtype);
  return d == Linear::Direction::backward_weight ? column_sum_workspace(p.n, p.out) : 0;
}

// y (N, out) = b in every row: y^T (out, N) = b (out, 1) ones (1, N).
void fill_with_bias(const Linear::Params& p, const float* b, void* y, void* workspace) {
  const size_t size = size_of(p.dtype);
  auto* ones = static_cast<char*>(workspace);
  void* narrow = ones + static_cast<size_t>(p.n) * size;
  elementwise.fill({p.dtype, p.n}, 1.f, ones);
  elementwise.cast(p.out, DType::f32, b, p.dtype, narrow);
  product(p, p.out, p.n, 1, {narrow, p.out}, {ones, 1}, 0.f, p.dtype, y, "cublas bias");
}

// y^T (out, N) = w (out, in) x^T (in, N)
void forward(const Linear::Params& p, const Linear::Forward& a) {
  if (a.b) fill_with_bias(p, a.b, a.y, a.workspace);
  product(p, p.out, p.n, p.in, {a.w, p.in, CUBLAS_OP_T}, {a.x, p.in}, a.b ? 1.f : 0.f, p.dtype, a.y,
          "cublas forward");
}

// dx^T (in, N) = w^T (in, out) dy^T (out, N)
void backward_data(const Linear::Params& p, const Linear::BackwardData& a) {
  product(p, p.in, p.n, p.out, {a.w, p.in}, {a.dy, p.out}, 0.f, p.dtype, a.dx, "cublas backward data");
}

// dw^T (in, out) = x^T (in, N) dy (N, out)
void backward_weight(const Linear::Params& p, const Linear::BackwardWeight& a) {
  if (a.db) column_sum(p.dtype, p.n, p.out, a.dy, a.db, a.workspace);
  product(p, p.in, p.out, p.n, {a.x, p.in}, {a.dy, p.out, CUBLAS_OP_T}, 0.f, DType::f32, a.dw,
          "cublas backward weight");
}

}  // namespace

const Linear cublas_linear{.workspace_bytes = workspace_bytes,
                           .forward = forward,
                           .backward_data = backward_data,
                           .backward_weight = backward_weight};

}  // namespace eb::kernels::cuda
