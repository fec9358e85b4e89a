// Error codes by name: throw Error(errors::checkpoint_hash, ...). Names, codes and what they mean stand in
// error_codes.def.
#pragma once
#include <vector>

namespace eb::errors {

enum Code : int {
#define EB_ERRORS_OF(exit_code, subject)
#define EB_ERROR(name, code, meaning, what_to_do) name = code,
#include "engine/base/error_codes.def"
};

struct Entry {
  int code;
  const char *name, *meaning, *what_to_do;
};
struct Group {  // of one exit code
  int exit_code;
  const char* subject;
  std::vector<Entry> entries;  // by code
};
const std::vector<Group>& all();

}  // namespace eb::errors
