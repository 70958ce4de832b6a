// table: the figures of all subjects, a line for each kind and a column for each subject.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct line {
  std::string name;  // with the unit
  bool more_is_better = true;
  int decimals = 2;
};

class table {
 public:
  explicit table(std::vector<std::string> subjects) : subjects_(std::move(subjects)) {}

  [[nodiscard]] const std::vector<std::string>& subjects() const { return subjects_; }
  [[nodiscard]] bool has(std::string_view subject) const;

  // Another run's figure; not a number: there is none.
  void add(const line& l, const std::string& subject, double value);
  // The median of the runs.
  [[nodiscard]] std::optional<double> median(const std::string& line_name, const std::string& subject) const;

  void print_head() const;
  void print(const line& l) const;
  // All lines, for a document.
  void print_markdown() const;
  // How many times as good ours are as the others; above 1 ours is ahead. Nothing without ours.
  void print_ratios() const;

 private:
  struct figures {
    line about;
    std::map<std::string, std::vector<double>, std::less<>> runs;  // by subject
  };
  [[nodiscard]] std::string text(const line& l, const std::string& subject) const;
  [[nodiscard]] std::string ratio(const line& l, const std::string& ours, const std::string& other) const;

  std::vector<std::string> subjects_;
  std::vector<figures> lines_;
};

}  // namespace bench
