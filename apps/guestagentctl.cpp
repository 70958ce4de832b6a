// guestagentctl: shows what the guest agent forwards, and why not what it does not.
#include "programs/guestagentctl/commands.hpp"

int main(int argc, char** argv) { return guestagentctl::run(argc, argv); }
