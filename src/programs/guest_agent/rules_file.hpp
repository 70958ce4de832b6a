// rules_file: the administrator's port rules, read at the start and again whenever their file changes.
//
// A file that cannot be read, or has an error, is refused as a whole: the agent does not start with it, and a running
// agent keeps the rules that it has. A file that does not exist has no rules, unless the administrator has named it:
// then it is one that cannot be read. The file counts when it has been the same for a while: a program that writes it
// in pieces shows a part of it, which may be a correct file with fewer rules. A program that replaces it may remove it
// first: a file that has vanished has to stay away for longer.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/blocking_calls.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "os/file_watch.hpp"
#include "rules/problem.hpp"
#include "rules/rules_codec.hpp"

namespace guest_agent {

struct rules_state {
  std::shared_ptr<const rules::rule_set> active;  // never null
  std::vector<rules::problem> warnings;           // about the active ones
  std::string trouble;                            // why the file is not what is active; empty: it is
};

class rules_file {
 public:
  struct place {
    std::string path;
    bool required = false;  // its absence is trouble
  };
  // How long the file has to stay the same, and how long away; how often it is read while it cannot be read; how
  // long the first read, or a check of the rules, may take.
  struct pace {
    std::chrono::milliseconds settle{200}, gone{2'000}, poll{5'000}, limit{2'000};
    std::chrono::milliseconds look{30'000};  // for a change that inotify does not report
  };

  // Reads the file, within speed.limit. `known` lasts as long as the program. The error names the file, and each place.
  static base::result<std::unique_ptr<rules_file>> open(const async::executor& where, place at,
                                                        const rules::known_names& known, pace speed);
  static base::result<std::unique_ptr<rules_file>> open(const async::executor& where, place at,
                                                        const rules::known_names& known) {
    return open(where, std::move(at), known, pace{});
  }

  // Follows the file until cancelled. `changed` is called when state() has changed.
  async::task<> follow(std::function<void()> changed);

  [[nodiscard]] const std::string& path() const { return at_.path; }
  [[nodiscard]] const rules_state& state() const { return state_; }

 private:
  using content = base::result<std::optional<std::string>>;  // nullopt: there is no file, and need not be one
  struct checked {
    std::expected<rules::parsed_rules, std::vector<rules::problem>> outcome;
  };

  rules_file(const async::executor& where, place at, const rules::known_names& known, pace speed);
  static content read_place(const place& at);
  static base::result<checked> check(const content& text, const rules::known_names& known);
  static content read_first(const place& at, const pace& speed);
  async::task<bool> wait_for_change();
  async::task<content> read();
  async::task<content> read_settled();
  async::task<base::result<checked>> check_aside(content text);
  bool take(base::result<checked> now);  // whether the state has changed
  bool refuse(std::string why);          // what follows the name of the file

  async::executor where_;
  place at_;
  rules::known_names known_;
  pace speed_;
  rules_state state_;
  content seen_;  // what state_ was made of
  async::blocking_calls calls_{1};
  os::file_watch watch_;
  base::log::episode trouble_;
};

}  // namespace guest_agent
