// The file layer: what it refuses, what it survives, and that every injected fault surfaces as an Error.
#include "engine/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "engine/base/error.h"
#include "support/child.h"
#include "support/temp_dir.h"

namespace eb::engine {

class FileTest : public testing::Test {
 protected:
  void TearDown() override { set_fault(""), observe_files(nullptr); }
  TempDir dir_;
};

template <class F>
static Error error_of(F action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  return Error(0, "");
}

template <class F>
static int code_of(F action) {
  return error_of(action).code();
}

template <class F>
static std::string message_of(F action) {
  try {
    action();
  } catch (const Error& e) {
    return e.message();
  }
  return "no error";
}

static size_t entries_in(const fs::path& directory) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

TEST_F(FileTest, bytes_come_back) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7);
  write_file_synced(dir_ / "a", bytes);
  EXPECT_EQ(read_file(dir_ / "a"), bytes);
  write_file_synced(dir_ / "a", "short");
  EXPECT_EQ(read_file(dir_ / "a"), "short");
  write_file_synced(dir_ / "empty", "");
  EXPECT_EQ(read_file(dir_ / "empty"), "");
}

TEST_F(FileTest, only_regular_files_below_the_limit_are_read) {
  const auto message = [](const fs::path& path, size_t limit = 1000) {
    return message_of([&] { read_file(path, limit); });
  };
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  write_file_synced(dir_ / "big", std::string(1001, 'x'));
  EXPECT_NE(message(dir_.path()).find("it is a directory"), std::string::npos);
  EXPECT_NE(message(dir_ / "pipe").find("it is a pipe"),
            std::string::npos);  // and does not wait for a writer
  EXPECT_NE(message("/dev/zero").find("it is a device"), std::string::npos);
  EXPECT_NE(message(dir_ / "big").find("1001 bytes, more than the 1000 allowed"), std::string::npos);
  EXPECT_EQ(message(dir_ / "big", 1001), "no error");
  EXPECT_NE(message(dir_ / "missing").find("No such file"), std::string::npos);
  EXPECT_NE(message(dir_ / "bell\a").find("\\u0007"), std::string::npos) << message(dir_ / "bell\a");
}

TEST_F(FileTest, replace_keeps_the_old_content_when_any_call_fails) {
  for (const std::string call : {"create", "write", "fsync", "rename"}) {
    int failures = 0;
    for (int n = 1; n < 10; ++n) {
      write_file_synced(dir_ / "a", "old");
      set_fault("eio@" + call + ":" + std::to_string(n));
      const int code = code_of([&] { replace_file(dir_ / "a", "new content"); });
      set_fault("");
      if (code == 0) break;
      ++failures;
      EXPECT_EQ(code, 8001);
      // The last fsync is that of the folder: the new name is there, only not yet safe.
      const bool renamed = call == "fsync" && n == 2;
      EXPECT_EQ(read_file(dir_ / "a"), renamed ? "new content" : "old") << call << n;
      EXPECT_EQ(entries_in(dir_.path()), 1u) << "a temporary file is left";
    }
    EXPECT_EQ(failures, call == "fsync" ? 2 : 1) << call;
    EXPECT_EQ(read_file(dir_ / "a"), "new content");
  }
}

TEST_F(FileTest, replace_keeps_what_is_no_file) {
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("pipe", dir_ / "to_pipe");
  for (const char* name : {"pipe", "to_pipe"}) {
    const Error e = error_of([&] { replace_file(dir_ / name, "x"); });
    EXPECT_EQ(e.code(), 8001);
    EXPECT_NE(e.message().find("it is a pipe"), std::string::npos) << e.message();
    EXPECT_FALSE(e.hint().empty());
  }
  EXPECT_TRUE(std::filesystem::is_fifo(dir_ / "pipe"));
  EXPECT_EQ(code_of([&] { replace_file(dir_.path(), "x"); }), 8001);
  EXPECT_EQ(entries_in(dir_.path()), 2u) << "a temporary file is left";
}

TEST_F(FileTest, replace_writes_through_symbolic_links) {
  namespace fs = std::filesystem;
  fs::create_directory(dir_ / "elsewhere");
  write_file_synced(dir_ / "elsewhere/file", "old");
  fs::create_symlink("elsewhere/file", dir_ / "link");
  fs::create_symlink(fs::absolute(dir_ / "link"), dir_ / "link_to_link");
  fs::create_symlink("elsewhere/new", dir_ / "dangling");
  replace_file(dir_ / "link_to_link", "new");
  replace_file(dir_ / "dangling", "first");
  for (const char* link : {"link", "link_to_link", "dangling"})
    EXPECT_TRUE(fs::is_symlink(dir_ / link)) << link;
  EXPECT_FALSE(fs::is_symlink(dir_ / "elsewhere/file"));
  EXPECT_EQ(read_file(dir_ / "elsewhere/file"), "new");
  EXPECT_EQ(read_file(dir_ / "elsewhere/new"), "first");
  fs::create_symlink("loop", dir_ / "loop");
  EXPECT_EQ(code_of([&] { replace_file(dir_ / "loop", "x"); }), 8001);
}

TEST_F(FileTest, every_failure_has_a_next_step) {
  for (const int error :
       {ENOSPC, EDQUOT, EFBIG, EACCES, EROFS, ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, EMFILE, EIO}) {
    const Error e = file_error("write", "a", error);
    EXPECT_FALSE(e.hint().empty()) << error;
    EXPECT_EQ(e.code(), error == ENOSPC || error == EDQUOT || error == EFBIG ? 8002 : 8001) << error;
  }
  write_file_synced(dir_ / "file", "x");
  const Error e = error_of([&] { make_directories(dir_ / "file/a/b"); });
  EXPECT_EQ(e.code(), 8001);
  EXPECT_NE(e.message().find("Not a directory"), std::string::npos) << e.message();
}

TEST_F(FileTest, short_writes_are_continued) {
  set_fault("short@write:1+");
  write_file_synced(dir_ / "a", "0123456789");
  EXPECT_EQ(read_file(dir_ / "a"), "0123456789");
}

TEST_F(FileTest, full_disk_has_its_own_code) {
  set_fault("enospc@write:2");
  write_file_synced(dir_ / "a", "x");
  EXPECT_EQ(code_of([&] { write_file_synced(dir_ / "b", "x"); }), 8002);
  write_file_synced(dir_ / "b", "x");  // once only
  set_fault("enospc@write:1+");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of([&] { write_file_synced(dir_ / "b", "x"); }), 8002);
  EXPECT_EQ(message_of([] { File("/dev/full", O_WRONLY).write("x"); }),
            "cannot write \"/dev/full\": No space left on device");
  EXPECT_EQ(code_of([] { File("/dev/full", O_WRONLY).write("x"); }), 8002);
}

TEST_F(FileTest, file_size_limit_counts_as_full) {
  const int status = run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return code_of([&] { write_file_synced(dir_ / "a", std::string(2000, 'x')); }) == 8002 ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(FileTest, kill_happens_before_the_call) {
  write_file_synced(dir_ / "a", "old");
  const int status = run_in_child([&] {
    set_fault("kill@rename:1");
    replace_file(dir_ / "a", "new");
    return 0;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(read_file(dir_ / "a"), "old");
}

TEST_F(FileTest, fault_specs_are_strict) {
  for (const char* spec :
       {"kill", "kill@rename", "kill@rename:", "kill@rename:0", "kill@rename:-1", "kill@rename:1x",
        "kill@nothing:1", "explode@write:1", "kill:rename@1", "kill@write:99999999999999999999"})
    EXPECT_EQ(code_of([&] { set_fault(spec); }), 2022) << spec;
  ::setenv("EB_FAULT", "eio@fsync:1", 1);
  set_fault_from_environment();
  ::unsetenv("EB_FAULT");
  EXPECT_EQ(code_of([&] { write_file_synced(dir_ / "a", "x"); }), 8001);
}

// Nothing may be renamed over a good file before it is on the disk itself, nor trusted before its folder is.
TEST_F(FileTest, replace_syncs_in_the_right_order) {
  std::vector<FileOperation::Kind> seen;
  observe_files([&](const FileOperation& o) { seen.push_back(o.kind); });
  replace_file(dir_ / "a", "x");
  using K = FileOperation::Kind;
  EXPECT_EQ(seen, (std::vector<K>{K::create, K::write, K::sync, K::rename, K::sync_directory}));
}

TEST_F(FileTest, exchange_swaps_directories) {
  for (const char* name : {"a", "b"}) {
    make_directory(dir_ / name);
    write_file_synced(dir_ / name / "who", name);
  }
  EXPECT_TRUE(exchange_synced(dir_ / "a", dir_ / "b"));
  EXPECT_EQ(read_file(dir_ / "a" / "who"), "b");
  EXPECT_EQ(read_file(dir_ / "b" / "who"), "a");
  EXPECT_EQ(code_of([&] { make_directory(dir_ / "a"); }), 8001);
  remove_tree(dir_ / "a");
  remove_tree(dir_ / "a");
  EXPECT_EQ(entries_in(dir_.path()), 1u);
}

TEST_F(FileTest, disk_space_is_checked) {
  require_disk_space(dir_.path(), 1);
  EXPECT_EQ(code_of([&] { require_disk_space(dir_.path(), uint64_t{1} << 60); }), 8003);
}

TEST_F(FileTest, close_reports_once_and_moves_transfer) {
  File a(dir_ / "a", O_WRONLY | O_CREAT);
  File b = std::move(a);
  EXPECT_EQ(a.descriptor(), -1);
  b.write("x");
  b.close();
  b.close();
  EXPECT_EQ(code_of([&] { b.write("y"); }), 8001);
}

}  // namespace eb::engine
