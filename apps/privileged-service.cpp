// privileged-service: opens on the host the ports that virtual machines publish. See src/privileged.
#include "privileged/program.hpp"

int main(int argc, char** argv) { return privileged::run_program(argc, argv); }
