// advice: what would have to change for a port to be open, by its state or by the reason for which a socket is not
// published. Pure. The words follow docs/operations.md.
#pragma once

#include <string_view>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {

// `state` is that at a peer, or the decision. Empty for a state that is not known here.
[[nodiscard]] std::string_view advice_on_state(std::string_view state, const status_document::port& port);
[[nodiscard]] std::string_view advice_on_refusal(const status_document::refusal& refusal);

}  // namespace guestagentctl
