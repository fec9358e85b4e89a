#include "tools/cli/commands.h"

namespace eb::tools {

const std::vector<AddCommand>& commands() {
  static const std::vector<AddCommand> list = {
      add_train_command,    // in the order that --help shows
      add_watch_command,    //
      add_eval_command,     //
      add_draw_command,     //
      add_compact_command,  //
      add_export_command,   //
      add_import_command,   //
      add_inspect_command,  //
      add_report_command,   //
      add_bench_command,    //
      add_compare_command,  //
      add_config_command,   //
      add_data_command,     //
      add_version_command,  //
  };
  return list;
}

}  // namespace eb::tools
