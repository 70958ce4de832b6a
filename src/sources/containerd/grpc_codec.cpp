#include "sources/containerd/grpc_codec.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/text.hpp"
#include "sources/containerd/http2_session.hpp"

namespace containerd {
namespace {

constexpr std::size_t prefix_bytes = 5;
constexpr unsigned byte_mask = 0xff;

std::string_view find(const http2_fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view() : found->second;
}

std::optional<unsigned> hex_digit(char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto at = digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

// A "%" without two digits stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (high && low) {
      made += static_cast<char>(*high << 4U | *low);
      i += 2;
    } else {
      made += text[i];
    }
  }
  return made;
}

}  // namespace

std::string frame_message(std::string_view message) {
  std::string made(1, '\0');
  for (const unsigned shift : {24U, 16U, 8U, 0U}) made += static_cast<char>(message.size() >> shift & byte_mask);
  return made.append(message);
}

std::string timeout_text(std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds most_digits{99'999'999};
  if (timeout <= most_digits) return std::to_string(timeout.count()) + 'm';
  return std::to_string(std::chrono::duration_cast<std::chrono::hours>(timeout).count()) + 'H';
}

base::error to_error(std::string_view status, std::string_view message) {
  const auto text = base::printable(percent_decoded(message));
  if (status == "5") return {std::make_error_code(std::errc::no_such_file_or_directory), text};
  if (status == "4") return {std::make_error_code(std::errc::timed_out), ""};
  return {{}, text.empty() ? "status " + base::printable(status) : text};
}

void message_splitter::feed(std::string_view bytes) {
  bytes_.erase(0, std::exchange(begin_, 0));
  bytes_ += bytes;
}

base::result<std::optional<std::string>> message_splitter::next() {
  const auto rest = std::string_view(bytes_).substr(begin_);
  if (!rest.empty() && rest[0] != '\0') return base::fail("a compressed message, which was not asked for");
  if (rest.size() < prefix_bytes) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 1; i < prefix_bytes; ++i) length = length << 8U | static_cast<std::uint8_t>(rest[i]);
  if (length > longest_message) return base::fail("a message of " + std::to_string(length) + " bytes");
  if (rest.size() - prefix_bytes < length) return std::nullopt;
  begin_ += prefix_bytes + length;
  return std::string(rest.substr(prefix_bytes, length));
}

void grpc_answer::add(const http2_event& e) {
  switch (e.what) {
    case http2_event::kind::fields: return add_fields(e.fields);
    case http2_event::kind::data: return add_bytes(e.text);
    case http2_event::kind::closed: cancelled_ = e.cancelled; return close(e.text);
  }
}

void grpc_answer::fail(base::error why) {
  if (!outcome_) outcome_ = std::unexpected(std::move(why));
}

std::optional<std::string> grpc_answer::take() {
  if (messages_.empty()) return std::nullopt;
  auto first = std::move(messages_.front());
  messages_.pop_front();
  return first;
}

std::size_t grpc_answer::take_credit() { return messages_.empty() ? std::exchange(held_, 0) : 0; }

// An answer without messages has its outcome in the header.
void grpc_answer::add_fields(const http2_fields& fields) {
  if (!std::exchange(begun_, true)) {
    const auto status = find(fields, ":status"), type = find(fields, "content-type");
    if (status != "200") return fail({{}, "HTTP status " + base::printable(status)});
    if (!type.starts_with("application/grpc")) return fail({{}, "content type \"" + base::printable(type) + '"'});
  }
  if (const auto status = find(fields, "grpc-status"); !status.empty()) status_ = status;
  if (const auto message = find(fields, "grpc-message"); !message.empty()) message_ = message;
}

void grpc_answer::add_bytes(std::string_view bytes) {
  held_ += bytes.size();
  if (outcome_) return;
  splitter_.feed(bytes);
  while (!outcome_) {
    auto found = splitter_.next();
    if (!found) return fail(found.error());
    auto& message = *found;
    if (!message) return;
    messages_.push_back(std::move(*message));
  }
}

void grpc_answer::close(const std::string& why) {
  if (!why.empty()) return fail({{}, why});
  if (status_.empty()) return fail({{}, "the answer ended without a status"});
  if (status_ != "0") return fail(to_error(status_, message_));
  if (!splitter_.empty()) return fail({{}, "the answer ended within a message"});
  if (!outcome_) outcome_.emplace();
}

}  // namespace containerd
