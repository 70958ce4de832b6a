// The answer of a test's name server, as bytes.
#pragma once

#include <string>
#include <string_view>

namespace integration {

// The question with the bits of an answer; and with the record, which counts without an error alone.
inline std::string dns_answer(std::string question, std::string_view record, int code = 0) {
  question.at(2) = static_cast<char>(0x81);
  question.at(3) = static_cast<char>(0x80 | code);
  if (code != 0) return question;
  question.at(7) = 1;
  return question.append(record);
}

}  // namespace integration
