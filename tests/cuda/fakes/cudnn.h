// A cuDNN that computes nothing: a shared library with the functions that the engine calls, which answers as
// the test says and remembers what it was asked. It has no kernels, so no card is needed.
#pragma once
#include <cudnn.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

struct FakeCudnn {
  using Pair = std::pair<int, cudnnMathType_t>;  // algorithm and math type
  struct Result {
    int algorithm = 0;
    cudnnMathType_t math = CUDNN_TENSOR_OP_MATH;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    cudnnDeterminism_t determinism = CUDNN_DETERMINISTIC;
  };
  // What it answers.
  std::vector<Result> results;              // of a search, best first
  int most_results = 20;                    // that there can be
  std::map<Pair, size_t> workspace;         // 0 for the others
  std::set<Pair> without_workspace, fails;  // the question for its bytes fails; the call does
  // What it was asked.
  enum class Direction { forward, backward_data, backward_weight };
  struct Call {
    Direction direction;
    Pair pair;  // the algorithm, and the math type that the descriptor had
    const void *first, *second;
    void *result, *workspace;
    size_t bytes;
  };
  std::vector<Call> calls;
  std::vector<cudnnMathType_t> asked_math;  // of each search
  int measured = 0, by_rules = 0;           // searches
  int alive = 0;                            // handles and descriptors
};

// The library's own; a test finds it as it finds the library's functions. FAKE_CUDNN_VERSION is what
// cudnnGetVersion says, if it is set.
extern "C" FakeCudnn* fake_cudnn();
