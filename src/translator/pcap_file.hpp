// pcap_file: writes the frames that cross the links to a file that tcpdump and Wireshark read (the classic pcap format,
// little endian, microseconds). Owned by plane; loop thread only. A failed write ends the recording, with one line in
// the log.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "netstack/bytes.hpp"

namespace translator {

class pcap_file {
 public:
  // Overwrites the file. Mode 0600: it holds what the VM sends. Fails for what is not a regular file: a FIFO or a
  // device could block the data plane.
  static base::result<pcap_file> create(const std::string& path);

  void add(std::span<const netstack::bytes_view> parts);
  // Writes what add() has collected to the file. False: a write failed.
  [[nodiscard]] bool flush();

 private:
  struct closer {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  explicit pcap_file(std::FILE* file) : file_(file) {}
  void write(const void* bytes, std::size_t size);

  std::unique_ptr<std::FILE, closer> file_;
};

}  // namespace translator
