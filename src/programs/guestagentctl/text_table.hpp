// text_table: rows of cells as aligned columns. The last column is not padded. Cells show printable ASCII alone, since
// names come from outside.
#pragma once

#include <string>
#include <vector>

namespace guestagentctl {

class text_table {
 public:
  explicit text_table(std::vector<std::string> header) { add(std::move(header)); }
  void add(std::vector<std::string> row);
  [[nodiscard]] std::string render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace guestagentctl
