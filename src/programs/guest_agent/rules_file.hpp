// rules_file: the administrator's port rules, read at the start and again whenever their file changes.
//
// A file that does not exist has no rules. One that cannot be read, or has an error, is refused as a whole: the agent
// does not start with it, and a running agent keeps the rules that it has. A change counts when the file has been the
// same for a while: a program that writes it in pieces shows a part of it, which may be a correct file with fewer
// rules.
#pragma once

#include <chrono>
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
  // How long a changed file has to stay the same; how often it is read where it cannot be watched.
  struct pace {
    std::chrono::milliseconds settle{200}, poll{5'000};
  };

  // Reads the file, for two seconds at most. `known` outlives the object. The error names the file, and each place.
  static base::result<std::unique_ptr<rules_file>> open(const async::executor& where, std::string path,
                                                        const rules::known_names& known, pace speed);
  static base::result<std::unique_ptr<rules_file>> open(const async::executor& where, std::string path,
                                                        const rules::known_names& known) {
    return open(where, std::move(path), known, pace{});
  }

  // Follows the file until cancelled. `changed` is called when state() has changed.
  async::task<> follow(std::function<void()> changed);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const rules_state& state() const { return state_; }

 private:
  using content = base::result<std::optional<std::string>>;  // nullopt: there is no file

  rules_file(const async::executor& where, std::string path, const rules::known_names& known, pace speed);
  async::task<> wait_for_change();
  async::task<content> read();
  async::task<content> read_settled();
  bool take(const content& now);  // whether the state has changed
  bool refuse(std::string why);

  async::executor where_;
  std::string path_;
  rules::known_names known_;
  pace speed_;
  rules_state state_;
  content seen_;  // what state_ was made of
  async::blocking_calls calls_{1};
  std::optional<os::file_watch> watch_;
  base::log::episode trouble_;
};

}  // namespace guest_agent
