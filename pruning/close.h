// From drawn masks to a ticket that can be compacted: masks that agree over every channel group, no layer
// emptied.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "pruning/ticket.h"

namespace eb::pruning {

// Of channel counts to a multiple. pad: by channels that stay zero instead of by better or worse tickets.
enum class RoundTo : uint8_t { up, nearest, pad };
constexpr auto enum_names(RoundTo) {
  return engine::names("up", "nearest", "pad");
}

struct CloseConfig {
  int64_t min_channels = 1;
  int64_t round_to = 1;
  RoundTo round = RoundTo::up;
  Merge merge = Merge::mean;         // score of a channel that several batch norms share
  std::vector<std::string> protect;  // batch norm ids; '*' matches any run of characters
};

struct Hold {                   // a group that keeps more or fewer channels than its masks said
  std::string bn;               // the first batch norm of the group
  std::string why;              // "unprunable", "protect", "min_channels", "round_to", "shared"
  int64_t drawn = 0, kept = 0;  // drawn: the fewest that a batch norm of the group wanted to keep
  int64_t returned = 0;         // channels that came back, over all batch norms of the group; negative: went
};

struct ClosedTicket {
  Ticket ticket;
  std::vector<Hold> holds;
  std::optional<Ticket> padded;  // with RoundTo::pad: ticket and the channels that make it round
  const Ticket& stored() const { return padded ? *padded : ticket; }  // the channels a compacted model has
};

// The channels that come back are those with the largest |gamma| (merged over the group), with their own
// values: a forced channel is never dead (docs/method.md 2.2). The model gives the scores.
ClosedTicket close_ticket(Ticket ticket, const engine::Model& model, const CloseConfig& config);

}  // namespace eb::pruning
