// guestagentctl: shows what the guest agent forwards, and why not what it does not.
#include "ctl/commands.hpp"

int main(int argc, char** argv) { return ctl::run(argc, argv); }
