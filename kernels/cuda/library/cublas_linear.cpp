// cuBLAS sees matrices by columns, so a row-major (rows, columns) array is its transpose: every product below
// is written transposed. Workspace and math mode are fixed, which makes a product the same bits every time.
#include "kernels/cuda/library/cublas_linear.h"

#include <cublas_v2.h>

#include <string>

#include "kernels/cuda/add_bias.h"
#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/library/shared_library.h"
#include "kernels/cuda/platform/call_with_room.h"
#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

namespace {

constexpr size_t own_bytes = size_t{32} << 20;  // what NVIDIA recommends for Hopper; older cards: 4 MiB

// cublas_v2.h renames some functions by macros: the second step names what the library has.
#define EB_NAME(name) #name
#define EB_CUBLAS(name) decltype(&::name) name = library.function<decltype(&::name)>(EB_NAME(name));
struct Cublas {
  explicit Cublas(const std::vector<std::string>& names);
  SharedLibrary library;
  std::string version;  // "13.0.0"
  EB_CUBLAS(cublasGetStatusString)
  EB_CUBLAS(cublasCreate)
  EB_CUBLAS(cublasDestroy)
  EB_CUBLAS(cublasSetStream)
  EB_CUBLAS(cublasSetWorkspace)
  EB_CUBLAS(cublasSetMathMode)
  // Written out: the header overloads the name.
  using Gemm = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k,
                                  const void* alpha, const void* a, cudaDataType, int lda, const void* b,
                                  cudaDataType, int ldb, const void* beta, void* c, cudaDataType, int ldc,
                                  cublasComputeType_t, cublasGemmAlgo_t);
  Gemm cublasGemmEx = library.function<Gemm>("cublasGemmEx");

  void check(cublasStatus_t status, const char* what) const {
    if (status != CUBLAS_STATUS_SUCCESS)
      throw LibraryError("[" + std::string(what) + "] cuBLAS " + version + ": " +
                         cublasGetStatusString(status));
  }
};
#undef EB_CUBLAS
#undef EB_NAME

std::string checked_version(const SharedLibrary& library) {
  const auto get = library.function<decltype(&::cublasGetProperty)>("cublasGetProperty");
  int v[3] = {};
  for (const auto part : {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL}) get(part, &v[part]);
  const std::string version = std::to_string(v[0]) + "." + std::to_string(v[1]) + "." + std::to_string(v[2]);
  library.check_major(CUBLAS_VER_MAJOR, v[0], version);
  return version;
}

constexpr const char* remedy =
    "install the CUDA toolkit of the version that this build was compiled with (or pip install "
    "nvidia-cublas) "
    "and put the folder of its libcublas on LD_LIBRARY_PATH";

Cublas::Cublas(const std::vector<std::string>& names)
    : library("cuBLAS " + std::to_string(CUBLAS_VER_MAJOR), names, remedy),
      version(checked_version(library)) {}

// Never destroyed: a thread's handle may be closed after the end of main.
const FoundLibrary<Cublas>& found() {
  static const auto* const once = new FoundLibrary<Cublas>(
      library_names("libcublas.so." + std::to_string(CUBLAS_VER_MAJOR), EB_CUBLAS_FOLDER));
  return *once;
}

class Handle {
 public:
  Handle() {
    api_.check(api_.cublasCreate(&handle_), "cublasCreate");
    api_.check(api_.cublasSetMathMode(handle_, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION),
               "cublasSetMathMode");
    cuda::check(call_with_room([&] { return cudaMalloc(&workspace_, own_bytes); }), "cuBLAS workspace");
  }
  ~Handle() {
    api_.cublasDestroy(handle_);
    cudaFree(workspace_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  // Setting a stream takes the workspace away, so both are set each time.
  cublasHandle_t on(cudaStream_t stream) {
    api_.check(api_.cublasSetStream(handle_, stream), "cublasSetStream");
    api_.check(api_.cublasSetWorkspace(handle_, workspace_, own_bytes), "cublasSetWorkspace");
    return handle_;
  }

 private:
  const Cublas& api_ = found().get();
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
             const Operand& b, DType result, void* c, const char* name) {
  const float alpha = 1.f, beta = 0.f;
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  const Cublas& api = found().get();
  api.check(api.cublasGemmEx(handle(), a.operation, b.operation, i(rows), i(columns), i(depth), &alpha,
                             a.data, type_of(p.dtype), i(a.stride), b.data, type_of(p.dtype), i(b.stride),
                             &beta, c, type_of(result), i(rows), compute_of(p), CUBLAS_GEMM_DEFAULT),
            name);
}

size_t workspace_bytes(const Linear::Params& p, Linear::Direction d) {
  return d == Linear::Direction::backward_weight ? column_sum_workspace(p.n, p.out) : 0;
}

// y^T (out, N) = w (out, in) x^T (in, N)
void forward(const Linear::Params& p, const Linear::Forward& a) {
  product(p, p.out, p.n, p.in, {a.w, p.in, CUBLAS_OP_T}, {a.x, p.in}, p.dtype, a.y, "cublas forward");
  if (a.b) add_bias(p.dtype, p.n, p.out, a.b, a.y);
}

// dx^T (in, N) = w^T (in, out) dy^T (out, N)
void backward_data(const Linear::Params& p, const Linear::BackwardData& a) {
  product(p, p.in, p.n, p.out, {a.w, p.in}, {a.dy, p.out}, p.dtype, a.dx, "cublas backward data");
}

// dw^T (in, out) = x^T (in, N) dy (N, out)
void backward_weight(const Linear::Params& p, const Linear::BackwardWeight& a) {
  if (a.db) column_sum(p.dtype, p.n, p.out, a.dy, a.db, a.workspace);
  product(p, p.in, p.out, p.n, {a.x, p.in}, {a.dy, p.out, CUBLAS_OP_T}, DType::f32, a.dw,
          "cublas backward weight");
}

}  // namespace

const VendorLibrary& cublas_library() {
  return found().library;
}

const Linear cublas_linear{.workspace_bytes = workspace_bytes,
                           .forward = forward,
                           .backward_data = backward_data,
                           .backward_weight = backward_weight};

}  // namespace eb::kernels::cuda
