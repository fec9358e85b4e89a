#include "engine/base/error_codes.h"

namespace eb::errors {

const std::vector<Group>& all() {
  static const std::vector<Group> groups = [] {
    std::vector<Group> g;
#define EB_ERRORS_OF(exit_code, subject) g.push_back({exit_code, subject, {}});
#define EB_ERROR(name, code, meaning, what_to_do) \
  g.back().entries.push_back({code, #name, meaning, what_to_do});
#include "engine/base/error_codes.def"
    return g;
  }();
  return groups;
}

}  // namespace eb::errors
