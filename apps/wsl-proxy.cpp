// wsl-proxy: makes the ports of the isolated namespace reachable in the default one. See src/wslproxy.
#include "wslproxy/program.hpp"

int main(int argc, char** argv) { return wslproxy::run_program(argc, argv); }
