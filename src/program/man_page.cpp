#include "program/man_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "program/go_flags.hpp"
#include "program/program_description.hpp"

namespace program {
namespace {

struct substitute {
  char character;
  std::string_view roff;
};

// What groff would print as something else; and where a long list or path may be broken into lines.
constexpr std::array<substitute, 8> substitutes{{{'\\', "\\(rs"},
                                                 {'-', "\\-"},
                                                 {'\'', "\\(aq"},
                                                 {'`', "\\(ga"},
                                                 {'^', "\\(ha"},
                                                 {'~', "\\(ti"},
                                                 {',', ",\\:"},
                                                 {'/', "/\\:"}}};

// Text as groff prints it unchanged. No line of it looks like a request.
std::string plain(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (shown.empty() || shown.back() == '\n')) shown += "\\&";
    const auto* const at = std::ranges::find(substitutes, c, &substitute::character);
    shown += at == substitutes.end() ? std::string(1, c) : std::string(at->roff);
  }
  return shown;
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
char to_lower(char c) { return static_cast<char>(c - 'A' + 'a'); }
char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// What the program is, as whatis(1) lists it: the first sentence of the description, without its capital and full stop.
std::string purpose(std::string_view description) {
  auto first = description.substr(0, description.find("\n\n"));
  if (const auto end = first.find(". "); end != std::string_view::npos) first = first.substr(0, end);
  if (first.ends_with('.')) first.remove_suffix(1);
  std::string text(first);
  const bool word = text.size() > 1 && is_upper(text[0]) && !is_upper(text[1]);  // and not a name such as DHCP
  if (word) text[0] = to_lower(text[0]);
  return text;
}

std::string synopsis(const about& what) {
  if (what.commands.empty()) return fmt::format(".B {}\n[flags]\n", plain(what.name));
  std::string text;
  for (const auto& c : what.commands)
    text += fmt::format("{}.B {} {}\n{}{}[flags]\n", text.empty() ? "" : ".br\n", plain(what.name), plain(c.name),
                        c.argument.empty() ? "" : fmt::format(".I {}\n", plain(c.argument)),
                        c.further.empty() ? "" : fmt::format("[{}]\n", plain(c.further)));
  return text;
}

// An indented paragraph is already broken into lines.
std::string paragraphs(std::string_view description) {
  std::string text;
  while (!description.empty()) {
    const auto end = description.find("\n\n");
    const auto one = description.substr(0, end);
    text +=
        one.starts_with(' ') ? fmt::format(".PP\n.nf\n{}\n.fi\n", plain(one)) : fmt::format(".PP\n{}\n", plain(one));
    description.remove_prefix(end == std::string_view::npos ? description.size() : end + 2);
  }
  return text;
}

std::string option(const flag_description& f) {
  const auto value = f.value_name.empty() ? "" : fmt::format(" \\fI{}\\fR", plain(f.value_name));
  const auto standard = f.shown_default.empty() ? "" : fmt::format(" (default {})", plain(f.shown_default));
  return fmt::format(".TP\n\\fB\\-{}\\fR{}\n{}{}\n", plain(f.name), value, plain(f.help), standard);
}

// The package of Debian and the tarball have their documents in different places.
constexpr std::string_view see_also =
    "operations.md in /usr/share/doc/guestagent or /usr/local/share/doc/guestagent: files, sockets, logs, symptoms, "
    "and recipes for kinds of virtual machines.";

std::string exit_status(const about& what) {
  std::string text = ".PP\n0 finished or stopped by a signal, 1 failed, 2 wrong command line";
  for (const auto& [code, meaning] : what.exit_codes) text += fmt::format(",\n{} {}", code, plain(meaning));
  return text + ".\n";
}

}  // namespace

std::string man_page(const about& what, const std::vector<flag_description>& flags) {
  std::string title = what.name;
  std::ranges::transform(title, title.begin(), to_upper);
  // .nh: a hyphen where a flag or a URL is broken would read as part of it. .ad l: troff cannot adjust a line next to a
  // long URL, and warns.
  auto text =
      fmt::format(".TH {} 8 \"\" \"guestagent {}\" \"Guest agent\"\n.nh\n.ad l\n", plain(title), GUESTAGENT_VERSION);
  text += fmt::format(".SH NAME\n{} \\- {}\n", plain(what.name), plain(purpose(what.description)));
  text += ".SH SYNOPSIS\n" + synopsis(what) + ".SH DESCRIPTION\n" + paragraphs(what.description);
  text += ".SH OPTIONS\n.PP\nOne dash or two; \\-flag=value or \\-flag value; booleans without a value, or with =.\n";
  for (const auto& f : flags) text += option(f);
  text += option({.name = "h", .help = "Print the usage and exit."});
  text += ".SH \"EXIT STATUS\"\n" + exit_status(what);
  return text + ".SH \"SEE ALSO\"\n.PP\n" + plain(see_also) + "\n";
}

}  // namespace program
