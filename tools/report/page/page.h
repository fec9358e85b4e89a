// The sections of the report page. Each takes one run of the report and gives HTML; a section that has
// nothing to show says so in a sentence.
#pragma once
#include <string>
#include <vector>

#include "tools/record/numbers.h"
#include "tools/report/gather/report.h"

namespace eb::tools::page {

struct RunPage {
  const RunReport& run;
  std::string id;   // of its anchors: "run-1"
  int heading = 2;  // level of the sections' headings
};

std::string headline_sentence(const RunReport& run);  // what happened, as HTML
std::string headline_table(const RunPage& page);      // dense against the tickets
std::string early_bird_section(const RunPage& page);  // why epoch N, and the curve of the distances
std::string heat_maps(const RunPage& page,
                      const SearchReport& search);     // the part of it with the pairwise distances
std::string layers_section(const RunPage& page);       // channels that survived
std::string training_section(const RunPage& page);     // loss, accuracy, learning rate
std::string time_section(const RunPage& page);         // where time and energy went
std::string background_section(const RunPage& page);   // equivalence, environment, config, commands
std::string comparison_section(const Report& report);  // several runs

// Where phases changed, for vertical lines.
struct PhaseChange {
  double epoch;
  std::string name;
};
std::vector<PhaseChange> phase_changes(const RunReport& run);

// Dense and the ticket that was retrained: without numbers, and null, where there is none.
const NetworkReport& dense_of(const RunReport& run);
const NetworkReport* ticket_of(const RunReport& run);
std::string phase_name(const PhaseReport& phase);  // "" if unknown
Number draw_epoch(const RunReport& run);           // none before the draw; between epochs, a fraction

// <section id=...><h2>title</h2>body</section>, the heading at the page's level. `title` is HTML.
std::string section(const RunPage& page, const char* id, const std::string& title, const std::string& body);
// A figure with its name above and how to read it below; "" if `picture` is "". All of them HTML.
std::string figure(const std::string& title, const std::string& picture, const std::string& how_to_read);
// A box that scrolls by itself where the table in it is too wide (or, if tall, too long). `name` is plain.
std::string table_box(const std::string& name, const std::string& table, bool tall = false);

}  // namespace eb::tools::page
