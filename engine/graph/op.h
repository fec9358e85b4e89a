// Names of ops, and the guarded tables that say something about each of them. What an op is stands in its
// OpSpec (op_spec.h), one literal in ops/<op>.cpp.
#pragma once
#include <cstddef>
#include <cstdint>

namespace eb::engine {

struct OpSpec;

// An op of the list, written Op::conv, or one from outside it, by its OpSpec. Two words alike are one op.
class Op {
 public:
  enum Known : uint8_t {
    input,
    conv,
    bn,
    relu,
    add,
    select,
    max_pool,
    avg_pool,
    global_avg_pool,
    linear,
    count
  };

  Op(Known known = input);
  explicit Op(const OpSpec& spec) : spec_(&spec) {}
  const OpSpec* operator->() const { return spec_; }
  bool operator==(const Op&) const = default;

 private:
  const OpSpec* spec_;
};

// A table has one row for each op of the list, in its order; static_assert(covers_every_op(table)) beside it
// makes a forgotten row an error of the compiler.
template <class T>
struct OpRow {
  Op::Known op;
  T value;
};

template <class T, size_t N>
constexpr bool covers_every_op(const OpRow<T> (&table)[N]) {
  if (N != Op::count) return false;
  for (size_t i = 0; i < N; ++i)
    if (table[i].op != i) return false;
  return true;
}

// What the table says of `op`; null for an op from outside the list.
template <class T, size_t N>
const T* find_row(const OpRow<T> (&table)[N], Op op) {
  for (const OpRow<T>& row : table)
    if (op == row.op) return &row.value;
  return nullptr;
}

}  // namespace eb::engine
