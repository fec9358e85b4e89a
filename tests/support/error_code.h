// The Error that a call ends in.
#pragma once
#include "engine/base/error.h"

namespace eb::test {

template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  return Error(0, "no error");
}

template <class F>
int code_of(F&& f) {
  return error_of(f).code();
}

}  // namespace eb::test
