// The subcommands. Each registers itself on the app and, when chosen, sets `run` to what it does.
#pragma once
#include <functional>
#include <vector>

namespace CLI {
class App;
}

namespace eb::tools {

using AddCommand = void (*)(CLI::App& app, std::function<int()>& run);

const std::vector<AddCommand>& commands();

void add_train_command(CLI::App& app, std::function<int()>& run);
void add_eval_command(CLI::App& app, std::function<int()>& run);
void add_watch_command(CLI::App& app, std::function<int()>& run);
void add_draw_command(CLI::App& app, std::function<int()>& run);
void add_compact_command(CLI::App& app, std::function<int()>& run);
void add_export_command(CLI::App& app, std::function<int()>& run);
void add_import_command(CLI::App& app, std::function<int()>& run);
void add_inspect_command(CLI::App& app, std::function<int()>& run);
void add_report_command(CLI::App& app, std::function<int()>& run);
void add_bench_command(CLI::App& app, std::function<int()>& run);
void add_bench_kernels(CLI::App& bench, std::function<int()>& run);  // under bench
void add_compare_command(CLI::App& app, std::function<int()>& run);
void add_config_command(CLI::App& app, std::function<int()>& run);
void add_data_command(CLI::App& app, std::function<int()>& run);
void add_version_command(CLI::App& app, std::function<int()>& run);

}  // namespace eb::tools
