// Captured answers of a kernel, from the fuzz targets' corpus. The real programs wrote their rules.
#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace netfilter {

// The first byte says which family it is of.
inline std::vector<std::byte> captured(const std::string& name) {
  std::ifstream file(std::string(GUESTAGENT_CORPUS) + "/" + name, std::ios::binary);
  if (!file.ignore(1)) throw std::runtime_error(name);
  std::vector<std::byte> all;
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at) all.push_back(static_cast<std::byte>(*at));
  return all;
}

}  // namespace netfilter
