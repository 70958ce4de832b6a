// rules_report: the agent's port rules as a document: those of the file, and those that are built in. Pure.
#pragma once

#include <string>

#include "ports/exposure_policy.hpp"
#include "programs/guest_agent/options.hpp"
#include "programs/guest_agent/rules_file.hpp"
#include "protocols/rules_document/document.hpp"

namespace guest_agent {

[[nodiscard]] rules_document::document describe_rules(const std::string& file, const rules_state& state,
                                                      const ports::exposure_plan& plan, const options& o,
                                                      const settings& s);

}  // namespace guest_agent
