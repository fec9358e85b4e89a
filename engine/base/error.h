// One exception type for everything a user can cause. The code is stable and its thousands are the exit code:
// 2003 prints as EB2003 and exits 2 (docs/errors.md lists them).
#pragma once
#include <exception>
#include <string>
#include <vector>

namespace eb {

class Error : public std::exception {
 public:
  // `where` is "file:line:col (/json/pointer)" or empty; `hint` is one next step or empty.
  Error(int code, std::string message, std::string hint = "", std::string where = "")
      : code_(code), message_(std::move(message)), hint_(std::move(hint)), where_(std::move(where)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  int code() const { return code_; }
  int exit_code() const { return code_ / 1000; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  const std::string& where() const { return where_; }
  std::string text() const;  // error[EB2003]: ...\n  --> ...\n  hint: ...

 private:
  int code_;
  std::string message_, hint_, where_;
};

// The candidate closest to `word`, or "" if none is near enough to be a typo.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace eb
